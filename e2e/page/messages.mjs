// The messages page: what is the case, whom it touches, and the button that helps. It follows by itself.

import assert from 'node:assert/strict';
import { drive, testId, withAttribute } from './browser.mjs';
import { logIn, server } from './login.mjs';

/** Waking a process, seen by the monitor, told to the page. */
const STATE_LIMIT_MS = 60_000;
const message = `${withAttribute('message', 'data-name', 'NodeProcessDead')}[data-state="firing"]`;

await drive('messages', async (page, step) => {
  await logIn(page, step);
  await step('the menu says that something is unread', async () => {
    await page.waitForSelector(testId('unread'));
  });
  await step('the message names the node, the file and its owner', async () => {
    await page.goto(`${server}/messages`);
    const shown = await page.locator(message).first().textContent();
    for (const part of ['n3', '1 file touched', 'admin', 'observatory']) assert.match(shown, new RegExp(part));
  });
  await step('marked as read', async () => {
    await page.locator(message).first().locator(testId('message-read')).click();
    await page.waitForSelector(`${message}[data-read="true"]`);
  });
  await step('the node is woken from here, and the messages end by themselves', async () => {
    await page.locator(message).first().locator(testId('message-wake')).click();
    await page.waitForSelector(message, { state: 'detached', timeout: STATE_LIMIT_MS });
  });
});
