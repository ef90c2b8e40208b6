// R55, R62: the phone may lose its power and the network any message, at any moment. The activation goes on where it was, and the
// service never has a token that the app does not know.
import { ACTIVATION_PASSWORD } from '../../support/journey.js';
import { Bank } from '../../support/bank.js';
import { Gate } from '../../support/gate.js';
import { expect, test } from '../../support/app_test.js';
import { AGAIN_MS } from '../../support/phone_app.js';
import { theSeedOf } from '../../support/seeds.js';

/** @typedef {import('../../support/gate.js').Direction} Direction */

/** @type {{ when: string, path: string, direction: Direction, asksPassword: boolean }[]} */
const MOMENTS = [
  { when: 'before the start reached the service', path: '/activation/v1/start', direction: 'request', asksPassword: true },
  { when: 'before the start was answered', path: '/activation/v1/start', direction: 'answer', asksPassword: true },
  { when: 'before the finish reached the service', path: '/activation/v1/finish', direction: 'request', asksPassword: false },
  { when: 'before the finish was answered', path: '/activation/v1/finish', direction: 'answer', asksPassword: false },
];

for (const { when, path, direction, asksPassword } of MOMENTS) {
  test(`r62 a phone that dies ${when} ends up with one token that works`, async ({ demo, words, order, browserOfPhone }) => {
    const user = demo.user('general');
    const typed = await order(user);
    const gate = await Gate.to(demo.port);
    const bank = new Bank(demo);
    try {
      const before = await (await browserOfPhone.start()).open(gate.url);
      const held = gate.hold(path, direction);
      await before.send(typed);
      await held;
      await browserOfPhone.kill();
      gate.release();

      const app = await (await browserOfPhone.start()).open(gate.url);
      await expect(app.cards).toHaveCount(1);
      if (asksPassword) {
        await app.cards.getByRole('link', { name: words.goOn, exact: true }).click();
        await expect(app.main).toContainText(words.unfinishedPassword);
        await app.password.fill(ACTIVATION_PASSWORD);
        await app.button(words.send).click();
        await app.finish();
      }
      // Where no password is asked for, the activation goes on by itself: the service has the token when the app shows its code.
      await app.code();
      expect(await bank.verdict(user, await app.showsCodeOf(await theSeedOf(demo)))).toBe('accepted');
      expect(gate.activations(), 'the service made one token').toBe(1);
      await expect(app.cards, 'and the app knows it').toHaveCount(1);
    } finally {
      await gate.stop();
    }
  });
}

test('r55 without a network nothing that was typed is lost, and the activation goes on by itself', async ({ demo, words, order, app }) => {
  const user = demo.user('general');
  const typed = await order(user);
  await app.open(demo.url);
  await app.keptOffline();
  await demo.stop();
  await app.send(typed);
  await expect(app.main.getByText(words.unreachable)).toBeVisible();
  await demo.run(0);
  await app.finish({ within_ms: AGAIN_MS });
  expect(await new Bank(demo).verdict(user, await app.code())).toBe('accepted');
});

test('r55 an activation that is left for later waits with its ids, and goes on with the password', async ({ demo, words, order, app }) => {
  const typed = await order();
  await app.open(demo.url);
  await app.keptOffline();
  await demo.stop();
  await app.send(typed);
  await app.button(words.later).click();
  await app.shows(words.title);
  await expect(app.cards).toContainText(words.unfinished);
  await demo.run(0);
  await app.cards.getByRole('link', { name: words.goOn, exact: true }).click();
  await app.password.fill(typed.activationPassword);
  await app.button(words.send).click();
  await app.finish();
  expect(await app.code()).toMatch(/^\d{6}$/);
});

test('r55 an activation that ends while its person types the next one wipes nothing', async ({ demo, words, order, app }) => {
  const finish = '/activation/v1/finish';
  /** @type {(value: unknown) => void} */
  let release = () => {};
  const released = new Promise((resolve) => (release = resolve));
  await app.page.route(`**${finish}`, async (route) => {
    await released;
    await route.continue();
  });
  await app.open(demo.url);
  await app.send(await order());
  await expect.poll(() => app.asked).toContain(finish);
  await app.go('add');
  await app.shows(words.firstTitle);
  const next = { serviceId: demo.serviceId, userId: '0000', activationPassword: '4826' };
  await app.fill(next);
  release(undefined);
  // A word at the edge of the screen.
  await expect(app.page.getByText(words.doneTitle, { exact: true })).toBeVisible();
  await expect(app.userId).toHaveValue(next.userId);
  await expect(app.password).toHaveValue(next.activationPassword);
  await app.go('');
  await app.showsCodeOf(await theSeedOf(demo));
});

test('r55 a part of the app that does not come is told in the form, which keeps what was typed', async ({ demo, words, order, app }) => {
  const typed = await order();
  const gate = await Gate.to(demo.port);
  gate.lost = '/assets/wasm/client.wasm';
  try {
    await app.open(gate.url);
    await app.send(typed);
    await expect(app.page.getByRole('alert')).toContainText(words.serverAway);
    await expect(app.page.getByRole('alert')).toBeFocused();
    await expect(app.userId).toHaveValue(typed.userId);
    await expect(app.password).toHaveValue(typed.activationPassword);
    gate.lost = undefined;
    await app.button(words.send).click();
    await app.finish();
    await app.showsCodeOf(await theSeedOf(demo));
  } finally {
    await gate.stop();
  }
});
