// The node page follows the cluster by itself: a node is stopped and woken, and one too many is refused with a reason.

import assert from 'node:assert/strict';
import { drive, testId, withAttribute } from './browser.mjs';
import { logIn, server } from './login.mjs';

/** Stopping and starting a process, seen by the monitor, told to the page. */
const STATE_LIMIT_MS = 60_000;

const card = (node, state) => `${withAttribute('node-card', 'data-node', node)}[data-state="${state}"]`;

await drive('nodes', async (page, step) => {
  const press = async (node, button) => {
    await page.locator(withAttribute('node-card', 'data-node', node)).locator(testId(button)).click();
  };
  await logIn(page, step);
  await step('six nodes are online', async () => {
    await page.goto(`${server}/nodes`);
    for (let number = 1; number <= 6; number += 1) await page.waitForSelector(card(`n${number}`, 'online'));
  });
  await step('a stop asks first', async () => {
    await press('n6', 'node-stop');
    await page.waitForSelector(testId('confirm-stop'));
  });
  await step('the stopped node sleeps', async () => {
    await page.click(testId('confirm-stop'));
    await page.waitForSelector(card('n6', 'asleep'), { timeout: STATE_LIMIT_MS });
  });
  await step('the next one is refused with a reason', async () => {
    await press('n5', 'node-stop');
    // A page that knows already may refuse before it asks.
    const first = await page.waitForSelector(`${testId('confirm-stop')}:enabled, ${testId('refusal')}`);
    if ((await first.getAttribute('data-testid')) === 'confirm-stop') await first.click();
    await page.waitForSelector(testId('refusal'));
    assert.match(await page.textContent(testId('refusal')), /group/);
  });
  await step('the sleeping node wakes', async () => {
    await page.keyboard.press('Escape');
    await page.waitForSelector(card('n5', 'online'));
    await press('n6', 'node-wake');
    await page.waitForSelector(card('n6', 'online'), { timeout: STATE_LIMIT_MS });
    await page.waitForSelector(testId('health'));
  });
});
