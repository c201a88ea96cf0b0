// A tag search gives a list and a graph side by side; a click on a tag shows what it is.

import assert from 'node:assert/strict';
import { drive, eventually, testId, withAttribute } from './browser.mjs';
import { logIn } from './login.mjs';

const QUERY = 'type:image AND tag:jpeg';
const FOUND = ['/court-exif.jpg', '/lena_std.jpg'];

await drive('search', async (page, step) => {
  await logIn(page, step);
  await step('a tag search lists the pictures', async () => {
    await page.fill(testId('search-input'), QUERY);
    await page.press(testId('search-input'), 'Enter');
    for (const path of FOUND) await page.waitForSelector(withAttribute('search-result', 'data-path', path));
    const shown = await page.locator(testId('search-result')).evaluateAll((rows) => rows.map((row) => row.dataset.path));
    assert.deepEqual([...new Set(shown)].sort(), FOUND);
  });
  await step('the graph shows them with their tags', async () => {
    const graph = page.locator(testId('graph'));
    await eventually('a graph with files and tags', async () => {
      const nodes = Number(await graph.getAttribute('data-nodes'));
      const edges = Number(await graph.getAttribute('data-edges'));
      return nodes > FOUND.length && edges >= FOUND.length;
    });
  });
  await step('a click on a tag tells what it is', async () => {
    await page.locator(withAttribute('graph-tag', 'data-tag', 'jpeg')).first().click();
    await page.waitForSelector(testId('tag-detail'));
    const detail = await page.textContent(testId('tag-detail'));
    assert.match(detail, /jpeg/i);
  });
});
