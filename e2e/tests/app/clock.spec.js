// J7, R61: the phone's clock is wrong, and the codes are right; where that cannot be known, none is shown. The clock of the whole
// browser is moved, not a function of the page.
import { Bank } from '../../support/bank.js';
import { setClock } from '../../support/machine.js';
import { expect, test } from '../../support/app_test.js';
import { theSeedOf } from '../../support/seeds.js';

const STEP_S = 60;
const HOUR_S = 3600;

/** How far the phone's clock is ahead, and how its owner is told: by how much, where the difference is worth a word. */
const CLOCKS = [
  { ahead_s: -HOUR_S, amount: /60 ?分/ },
  { ahead_s: -90, amount: /(89|90) ?秒|2 ?分/ },
  { ahead_s: -15, amount: null },
  { ahead_s: 15, amount: null },
  { ahead_s: 90, amount: /(89|90) ?秒|2 ?分/ },
  { ahead_s: HOUR_S, amount: /60 ?分/ },
];

/** A phone with a token, made while its clock was off. @param {any} fixtures @param {number} ahead_s */
async function withToken({ demo, order, browserOfPhone }, ahead_s) {
  const user = demo.user('general');
  const typed = await order(user);
  const app = await (await browserOfPhone.start({ ahead_s })).open(demo.url);
  await app.keptOffline();
  await app.add(typed);
  return { app, user, seed: await theSeedOf(demo) };
}

/** Starts the app on a phone whose clock is elsewhere. @param {any} fixtures @param {number} ahead_s */
async function again({ demo, browserOfPhone }, ahead_s) {
  await browserOfPhone.close();
  return (await browserOfPhone.start({ ahead_s })).open(demo.url);
}

test('r61 with a clock that is wrong by up to an hour the codes are right, and its owner is told', async ({ demo, words, order, browserOfPhone }) => {
  const { user, seed, ...first } = await withToken({ demo, order, browserOfPhone }, CLOCKS[0].ahead_s);
  const bank = new Bank(demo);
  let { app } = first;
  for (const { ahead_s, amount } of CLOCKS) {
    await test.step(`${ahead_s} seconds`, async () => {
      if (ahead_s !== CLOCKS[0].ahead_s) app = await again({ demo, browserOfPhone }, ahead_s);
      const off = await app.page.evaluate(() => Date.now()) - Date.now();
      expect(Math.abs(off - ahead_s * 1000), 'the clock is where the test wants it').toBeLessThan(5_000);
      const code = await app.showsCodeOf(seed);
      // Right for the service too; used, where it was shown before in the same step.
      expect(['accepted', 'already_used']).toContain(await bank.verdict(user, code));

      const told = app.cards.getByRole('status');
      if (!amount) {
        await expect(told).toHaveCount(0);
        return;
      }
      const [before, after] = (ahead_s > 0 ? words.clock.fast('#') : words.clock.slow('#')).split('#');
      await expect(told).toContainText(before);
      await expect(told).toContainText(after);
      await expect(told).toContainText(amount);
      await app.link(words.clock.help).click();
      await expect(app.main.getByRole('heading', { level: 1 })).toBeVisible();
    });
  }
});

test('r61 offline after a new start a small difference is corrected, and one beyond a step gives no code', async ({ demo, words, order, browserOfPhone }) => {
  const { app: first, seed } = await withToken({ demo, order, browserOfPhone }, STEP_S / 4);
  await first.showsCodeOf(seed);

  await demo.stop();
  const near = await again({ demo, browserOfPhone }, STEP_S / 4);
  await near.showsCodeOf(seed);

  await demo.run(0);
  const far = await again({ demo, browserOfPhone }, HOUR_S);
  await far.showsCodeOf(seed);
  await demo.stop();
  const app = await again({ demo, browserOfPhone }, HOUR_S);
  await expect(app.cards).toContainText(words.clock.unsure);
  await expect(app.codeButton()).toHaveCount(0);
  await test.step('until the clock could be checked', async () => {
    await demo.run(0);
    await app.button(words.clock.check).click();
    await app.showsCodeOf(seed);
  });
});

test('t6 a clock that is put back while offline gives no code', async ({ demo, words, order, browserOfPhone }) => {
  const { app: first, seed } = await withToken({ demo, order, browserOfPhone }, 0);
  await first.showsCodeOf(seed);
  await expect(first.cards, 'the clock was checked').not.toContainText(words.clock.unchecked);
  await demo.stop();

  const back = await again({ demo, browserOfPhone }, -HOUR_S);
  await expect(back.cards).toContainText(words.clock.backwards);
  await expect(back.codeButton()).toHaveCount(0);

  const right = await again({ demo, browserOfPhone }, 0);
  await right.showsCodeOf(seed);
});

test('j7 a clock that is put back while the app is open and offline is noticed at once', async ({ demo, words, order, browserOfPhone }, info) => {
  const clockFile = info.outputPath('clock');
  setClock(clockFile, 0);
  const typed = await order();
  const app = await (await browserOfPhone.start({ clockFile })).open(demo.url);
  await app.add(typed);
  const seed = await theSeedOf(demo);
  await app.showsCodeOf(seed);
  await demo.stop();
  const isBehind = (/** @type {number} */ s) =>
    expect.poll(async () => Math.round(((await app.page.evaluate(() => Date.now())) - Date.now()) / 1000)).toBe(-s);

  await test.step('by a quarter of a step: it is corrected', async () => {
    setClock(clockFile, -STEP_S / 4);
    await isBehind(STEP_S / 4);
    await app.showsCodeOf(seed);
  });
  await test.step('by an hour: no code, until the service was asked', async () => {
    setClock(clockFile, -HOUR_S);
    await isBehind(HOUR_S);
    await expect(app.cards).toContainText(words.clock.unsure);
    await expect(app.codeButton()).toHaveCount(0);
    await demo.run(0);
    await app.button(words.clock.check).click();
    await app.showsCodeOf(seed);
    await expect(app.cards.getByRole('status')).toContainText(/60 ?分/);
  });
});
