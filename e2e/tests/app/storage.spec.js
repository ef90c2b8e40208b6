// What the browser loses: the person is told, and knows what to do.
import { expect, test } from '../../support/app_test.js';

/** Everything of the site but the caches, which hold the app itself and the note that there were tokens. */
const BUT_CACHES = 'indexeddb,local_storage,cookies,websql,file_systems';

test('tokens that the browser removed are told, and not passed over as a first start', async ({ demo, words, order, app }) => {
  const typed = await order(demo.user('general'));
  await app.open(demo.url);
  await expect(app.main).not.toContainText(words.evicted);
  await app.add(typed);
  const session = await app.page.context().newCDPSession(app.page);
  const { origin } = new URL(demo.url);
  await session.send('Storage.clearDataForOrigin', { origin, storageTypes: BUT_CACHES });

  await app.page.reload();
  await app.shows(words.firstTitle);
  await expect(app.main).toContainText(words.evicted);

  await test.step('a new token works, and the loss is over', async () => {
    await app.add(await order(demo.user('general', 1)));
    await app.page.reload();
    await app.shows(words.title);
    await expect(app.cards).toHaveCount(1);
    await expect(app.main).not.toContainText(words.evicted);
  });
});

test('where all of the storage is gone the app begins anew', async ({ demo, words, order, app }) => {
  await app.open(demo.url);
  await app.add(await order(demo.user('general')));
  const session = await app.page.context().newCDPSession(app.page);
  await session.send('Storage.clearDataForOrigin', { origin: new URL(demo.url).origin, storageTypes: 'all' });
  await app.page.reload();
  await app.shows(words.firstTitle);
  await app.add(await order(demo.user('general', 1)));
  await expect(app.cards).toHaveCount(1);
});
