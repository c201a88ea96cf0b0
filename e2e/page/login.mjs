// The first step of every journey, the wrong password included.

import { required, testId } from './browser.mjs';

export const server = required('SERVER');

export async function logIn(page, step) {
  await step('the page asks who is there', async () => {
    await page.goto(`${server}/`);
    await page.waitForSelector(testId('login-user'));
  });
  await step('logged in', async () => {
    await page.fill(testId('login-user'), required('USER_NAME'));
    await page.fill(testId('login-password'), required('PASSWORD'));
    await page.click(testId('login-submit'));
    await page.waitForSelector(testId('login-submit'), { state: 'detached' });
  });
}
