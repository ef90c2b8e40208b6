// The list of codes: names, order, search, hiding, copying, the code that comes next.
import { randomBytes } from 'node:crypto';
import { AppCore, codeAt } from '../../support/app_core.js';
import { expect, test } from '../../support/app_test.js';

/** Tokens whose secrets the test knows, named in their order. @param {any} fixtures @param {string[]} names @param {number} [step_s] */
async function planted({ demo, app }, names, step_s) {
  const tokens = names.map((_, at) => ({ id: `a${at}`, seed: randomBytes(32), deviceKey: randomBytes(32), step_s }));
  const core = await new AppCore(app.page).start(demo.url);
  await core.call('open');
  await core.plant(tokens);
  for (const [at, name] of names.entries()) await core.call('rename', tokens[at].id, name);
  await app.open(demo.url);
  return tokens;
}

test('tokens are renamed, put in order and removed, each after a word of warning', async ({ demo, words, app }) => {
  const [first] = await planted({ demo, app }, ['みなと銀行', 'あさひ銀行']);
  const names = () => app.cards.getByRole('heading', { level: 2 }).allInnerTexts();
  const { token } = words;

  await test.step('a name', async () => {
    await app.link('みなと銀行').click();
    const name = app.page.getByLabel(token.name, { exact: true });
    await name.fill('あ'.repeat(41));
    await app.button(token.save).click();
    await expect(name).toHaveAttribute('aria-invalid', 'true');
    await expect(app.main).toContainText(token.nameForm);
    await name.fill('  経理の口座 ');
    await app.button(token.save).click();
    await app.shows('経理の口座');
    await expect(app.page.getByText(token.saved, { exact: true })).toBeVisible();
  });
  await test.step('the order, with the focus where it was', async () => {
    await expect(app.button(token.up)).toBeDisabled();
    await app.button(token.down).click();
    await expect(app.button(token.down)).toBeDisabled();
    await expect(app.button(token.up)).toBeFocused();
    await app.link(words.back).click();
    await expect.poll(names).toEqual(['あさひ銀行', '経理の口座']);
    await app.page.reload();
    await expect.poll(names).toEqual(['あさひ銀行', '経理の口座']);
    await app.showsPlanted(first.seed, app.cards.last());
  });
  await test.step('removal, which names what follows', async () => {
    await app.link('経理の口座').click();
    await expect(app.main).toContainText(token.removeActive);
    await app.button(token.remove).click();
    const question = app.page.getByRole('dialog', { name: token.removeQuestion('経理の口座') });
    await expect(question).toContainText(token.removeActive);
    await expect(question).toContainText(token.removeFinal);
    await expect(question.getByRole('button', { name: token.cancel, exact: true }), 'the safe answer is at hand').toBeFocused();
    await app.page.keyboard.press('Escape');
    await expect(question).toHaveCount(0);
    await app.button(token.remove).click();
    await question.getByRole('button', { name: token.removeYes, exact: true }).click();
    await expect(app.page.getByText(token.removed, { exact: true })).toBeVisible();
    await expect.poll(names).toEqual(['あさひ銀行']);
    await app.page.reload();
    await expect.poll(names).toEqual(['あさひ銀行']);
  });
});

test('more than five tokens are searched by name and service', async ({ demo, words, app }) => {
  const five = ['青空', '朝日', '北斗', 'みなと', '山手'];
  await planted({ demo, app }, five);
  await expect(app.cards).toHaveCount(5);
  await expect(app.page.getByLabel(words.search)).toHaveCount(0);

  await planted({ demo, app }, [...five, 'Minato 2']);
  await app.page.reload();
  const search = app.page.getByLabel(words.search);
  const shown = app.page.locator('li[data-token]:visible');
  await search.fill('ＭＩＮＡ');
  await expect(shown).toHaveCount(1);
  await expect(shown).toContainText('Minato 2');
  await search.fill('PLANTED');
  await expect(shown, 'the service id is looked at too').toHaveCount(6);
  await search.fill('みらい');
  await expect(shown).toHaveCount(0);
  await expect(app.main.getByText(words.searchNothing)).toBeVisible();
  await search.fill('');
  await expect(shown).toHaveCount(6);
});

test('hidden codes are shown one at a time, and stay hidden after a new start', async ({ demo, words, app }) => {
  await planted({ demo, app }, ['みなと', '朝日']);
  await app.code(app.cards.first());
  await app.button(words.hide).click();
  await expect(app.page.getByRole('button', { name: words.hidden })).toHaveCount(2);
  await expect(app.main.locator('.digits').first()).toHaveText('••• •••');

  await app.page.getByRole('button', { name: words.hidden }).first().click();
  expect(await app.code(app.cards.first())).toMatch(/^\d{6}$/);
  await expect(app.page.getByRole('button', { name: words.hidden })).toHaveCount(1);

  await app.page.reload();
  await expect(app.page.getByRole('button', { name: words.hidden })).toHaveCount(2);
  await app.button(words.show).click();
  await app.code(app.cards.last());
});

test('a hidden code that is asked for stays until its end, or until that of the next one when the change is near', async ({ demo, words, app }) => {
  await planted({ demo, app }, ['みなと'], 10);
  const hidden = app.page.getByRole('button', { name: words.hidden });
  const left = app.cards.locator('.ring-text');
  await app.button(words.hide).click();
  await expect(hidden).toBeVisible();

  const justChanged = async () => expect(Number(await left.textContent()), 'seconds that are left').toBeGreaterThan(6);
  await test.step('before the change is near', async () => {
    await expect(left).toHaveText(/^[7-9]$/);
    await hidden.click();
    await expect(left).toHaveText(/^[1-3]$/);
    await app.code();
    await expect(hidden).toBeVisible();
    await justChanged();
  });
  await test.step('shortly before it', async () => {
    await expect(left).toHaveText(/^[1-3]$/);
    await hidden.click();
    const asked = await app.code();
    await expect.poll(() => app.code()).not.toBe(asked);
    await expect(left).toHaveText(/^[3-5]$/);
    await app.code();
    await expect(hidden).toBeVisible();
    await justChanged();
  });
});

test('a press copies the code that is shown', async ({ demo, words, app }) => {
  const [{ seed }] = await planted({ demo, app }, ['みなと']);
  await app.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await app.codeButton().click();
  await expect(app.page.getByText(words.copied, { exact: true })).toBeVisible();
  const copied = await app.page.evaluate(() => navigator.clipboard.readText());
  const now = Date.now();
  expect([codeAt(seed, now), codeAt(seed, now - 10_000)]).toContain(copied);
});

/** What is said or shown from now until well into the next step, every change of it. */
function watched(/** @type {import('@playwright/test').Page} */ page) {
  return page.evaluate(
    () =>
      new Promise((/** @type {(seen: { quiet: string[], looks: { left: number, digits: string, card: string }[] }) => void} */ resolve) => {
        const text = (/** @type {string} */ selector) => document.querySelector(selector)?.textContent ?? '';
        /** @type {string[]} */
        const quiet = [];
        /** @type {{ left: number, digits: string, card: string }[]} */
        const looks = [];
        let lastQuiet = text('[data-quiet]');
        const look = () => {
          const said = text('[data-quiet]');
          if (said !== lastQuiet && said !== '') quiet.push(said);
          lastQuiet = said;
          looks.push({ left: Number(text('.ring-text')), digits: text('.digits'), card: document.querySelector('li[data-token]')?.innerText ?? '' });
          const last = looks[looks.length - 1];
          if (last.digits === looks[0].digits || last.left > 55) return;
          observer.disconnect();
          resolve({ quiet, looks });
        };
        const observer = new MutationObserver(look);
        observer.observe(document.body, { subtree: true, childList: true, characterData: true });
        look();
      }),
  );
}

test('in the last five seconds the next code is shown, and screen readers are told once that it changes', async ({ demo, words, app }) => {
  const [{ seed }] = await planted({ demo, app }, ['みなと']);
  await app.code();
  // A step that is seen whole, or nearly: the first one that begins with enough of itself left.
  const { quiet, looks } = await watched(app.page).then((seen) => (seen.looks[0].left > 12 ? seen : watched(app.page)));

  const [{ digits }] = looks;
  const ofThisStep = looks.filter((look) => look.digits === digits);
  expect(quiet.filter((said) => words.changesSoon.test(said)), `said: ${quiet.join(' | ')}`).toHaveLength(1);
  for (const { left, card } of ofThisStep.filter(({ left }) => left > 5)) expect(card, `${left} seconds before`).not.toContain(words.nextCode);
  // The last look at a second is what stayed on the screen.
  for (const second of [4, 3, 2]) {
    const card = ofThisStep.findLast(({ left }) => left === second)?.card;
    expect(card, `${second} seconds before`).toContain(words.nextCode);
    expect(card?.replaceAll(' ', '')).toContain(codeAt(seed, Date.now()));
  }
});
