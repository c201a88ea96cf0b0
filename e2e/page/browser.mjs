// A fresh Chromium for one journey: steps with names, a screenshot after each, errors of the page as failures.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

const FLAGS = [
  // The tests' user may be root, for whom Chromium has no sandbox; the pages are our own.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/** Longer than any single answer; a journey on a machine that compiles beside it stays below. */
const STEP_LIMIT_MS = 30_000;

export function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`the variable ${name} is not set`);
  return value;
}

export const testId = (id) => `[data-testid="${id}"]`;

/** Attribute values may hold quotes: they are escaped as CSS wants it. */
export const withAttribute = (id, name, value) => `${testId(id)}[${name}="${value.replace(/["\\]/g, '\\$&')}"]`;

/**
 * Runs `journey(page, step)`; `step(name, action)` names what is being done, so that a failure says where it was.
 * `width` and `height` are those of the window.
 */
export async function drive(name, journey, { width = 1280, height = 900 } = {}) {
  const shots = required('SHOTS');
  const profile = await mkdtemp(path.join(tmpdir(), 'chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: required('CHROMIUM'),
    headless: true,
    args: FLAGS,
    viewport: { width, height },
    locale: 'en-US',
  });
  const faults = [];
  let current = 'start';
  let count = 0;
  try {
    context.setDefaultTimeout(STEP_LIMIT_MS);
    const page = context.pages()[0] ?? (await context.newPage());
    page.on('pageerror', (error) => faults.push(`${current}: ${error.message}`));
    page.on('response', (response) => {
      if (response.status() >= 500) faults.push(`${current}: ${response.status()} from ${response.url()}`);
    });
    const step = async (title, action) => {
      current = title;
      const result = await action();
      count += 1;
      await page.screenshot({ path: path.join(shots, `${name}-${String(count).padStart(2, '0')}-${slug(title)}.png`) });
      console.log(`${name}: ${title}`);
      return result;
    };
    try {
      await journey(page, step);
    } catch (error) {
      await page.screenshot({ path: path.join(shots, `${name}-failed.png`) }).catch(() => undefined);
      throw new Error(`at step "${current}": ${error.message}`);
    }
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  }
  if (faults.length > 0) throw new Error(`the page had faults:\n${faults.join('\n')}`);
}

/** Asks `probe` until it gives something, as the page follows the cluster by itself. */
export async function eventually(what, probe, limitMs = STEP_LIMIT_MS) {
  const end = Date.now() + limitMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${limitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function slug(title) {
  return title.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
}
