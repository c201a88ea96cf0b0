// The harness itself: Chromium starts, runs a page's script, shows Chinese, and a fault of the page fails the run.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { drive } from './browser.mjs';

const PAGES = {
  '/': '<!doctype html><meta charset="utf-8"><h1>…</h1><script>fetch("/text").then(r=>r.text()).then(t=>document.querySelector("h1").textContent=t)</script>',
  '/text': '文件',
  '/broken': '<!doctype html><script>throw new Error("no such thing")</script>',
};

const server = createServer((request, response) => {
  const body = PAGES[request.url];
  response.writeHead(body ? 200 : 404, { 'content-type': 'text/html; charset=utf-8' });
  response.end(body ?? '');
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

try {
  await drive('harness', async (page, step) => {
    await step('a script fills the heading', async () => {
      await page.goto(`${origin}/`);
      await page.waitForFunction(() => document.querySelector('h1')?.textContent === '文件');
    });
  });
  await assert.rejects(
    drive('harness-broken', (page, step) => step('a broken page', () => page.goto(`${origin}/broken`))),
    /no such thing/,
  );
} finally {
  server.close();
}
