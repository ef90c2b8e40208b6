// The app without a network: after a new start of the browser, and while the service is away.
import { expect, test } from '../../support/app_test.js';
import { AGAIN_MS } from '../../support/phone_app.js';
import { theSeedOf } from '../../support/seeds.js';

test('a browser that is started again without a network shows the right code', async ({ demo, words, order, browserOfPhone }) => {
  const typed = await order();
  const online = await (await browserOfPhone.start()).open(demo.url);
  await online.add(typed);
  await online.keptOffline();
  await browserOfPhone.close();
  await demo.stop();
  const seed = await theSeedOf(demo);

  const app = await (await browserOfPhone.start()).open(demo.url);
  await app.shows(words.title);
  await app.showsCodeOf(seed);
  await test.step('and in the other screens nothing is missing', async () => {
    for (const [path, title] of [
      ['settings', words.settings],
      ['settings/lock', words.lock.title],
      ['help', words.helpTitle],
      ['add', words.addTitle],
    ]) {
      await app.go(path);
      await app.shows(title);
    }
    await app.go('');
    await app.showsCodeOf(seed);
  });
});

test('codes are shown while the service is away, and a new token waits until it is back', async ({ demo, words, order, app }) => {
  const first = await order(demo.user('general'));
  const second = await order(demo.user('general', 1));
  await app.open(demo.url);
  await app.keptOffline();
  await app.add(first);
  const seed = await theSeedOf(demo);
  await demo.stop();
  await app.showsCodeOf(seed);
  await app.link(words.add).click();
  await app.send(second);
  await expect(app.main.getByText(words.unreachable)).toBeVisible();
  await demo.run(0);
  await app.finish({ within_ms: AGAIN_MS });
  await expect(app.cards).toHaveCount(2);
  await app.showsCodeOf(seed);
});
