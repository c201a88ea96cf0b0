import react from '@vitejs/plugin-react';
import type { PluginOption, ProxyOptions } from 'vite';
import { defineConfig } from 'vitest/config';
import { mockApi } from './app/mock/plugin.ts';

// `npm run dev` plays against the mock API; with ASTERISM_SERVER=http://127.0.0.1:8420 it talks to a real server.
const server = process.env.ASTERISM_SERVER;

/** The real server checks `Origin` against its own address, so the proxy speaks as a page of that server. */
const proxy = (target: string): Record<string, ProxyOptions> => ({
  '/api': { target, changeOrigin: true, ws: true, headers: { origin: target } },
});

const plugins: PluginOption[] = [react()];
if (!server) plugins.push(mockApi());

export default defineConfig({
  root: 'app',
  plugins,
  server: server ? { proxy: proxy(server) } : {},
  preview: server ? { proxy: proxy(server) } : {},
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    // The server's Content-Security-Policy allows `data:` images only; everything else stays a file.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
  },
  test: { environment: 'node', include: ['**/*.test.{ts,tsx}'] },
});
