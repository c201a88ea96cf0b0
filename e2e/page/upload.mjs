// Files are chosen, their progress is shown, and they stand in the list, Chinese names included.

import path from 'node:path';
import { drive, required, testId, withAttribute } from './browser.mjs';
import { logIn, server } from './login.mjs';

const files = required('FILES').split('\n');

await drive('upload', async (page, step) => {
  await step('a wrong password is refused in words', async () => {
    await page.goto(`${server}/`);
    await page.fill(testId('login-user'), required('USER_NAME'));
    await page.fill(testId('login-password'), 'not the password');
    await page.click(testId('login-submit'));
    await page.waitForSelector('[role="alert"]');
  });
  await logIn(page, step);
  await step('files are on their way', async () => {
    await page.setInputFiles(testId('upload-input'), files);
    await page.waitForSelector(testId('upload-row'));
  });
  await step('every file stands in the list', async () => {
    for (const file of files) {
      await page.waitForSelector(withAttribute('file-row', 'data-path', `/${path.basename(file)}`));
    }
  });
});
