// J3 on the phone app's own screens, in both languages: from the mail to the code, with and without a mouse.
import { expect, test } from '../support/app_test.js';
import { enterCode, expectTitle } from '../support/journey.js';
import { enter, typeInto } from '../support/keyboard.js';

/** The page of the person who waits, once the app is set up: types the code, and is signed in. */
async function signsIn(/** @type {any} */ { page, labels }, /** @type {string} */ code) {
  await expectTitle(page, labels.waiting.activated);
  await page.getByRole('main').getByRole('link', { name: labels.waiting.toVerification }).click();
  await enterCode(page, labels, code);
  await expectTitle(page, labels.top.title);
}

/** The id with its last digit typed wrong. @param {string} userId */
function mistyped(userId) {
  return `${userId.slice(0, -1)}${(Number(userId.at(-1)) + 1) % 10}`;
}

test('j3 a person types what the mail says, and the code of the app signs in', async ({ page, demo, labels, words, order, app }) => {
  const typed = await order();
  await app.open(demo.url);

  await test.step('the first screen asks in the words of the manual', async () => {
    await app.shows(words.firstTitle);
    const asked = await app.main.locator('form label').allInnerTexts();
    expect(asked).toEqual([words.serviceId, words.tokenUserId, words.activationPassword]);
    await expect(app.main.locator('form button[type=submit]')).toHaveText(words.send);
  });
  await test.step('it tells what it does, and completes', async () => {
    await app.page.evaluate(() => {
      const seen = /** @type {any} */ (window).seen = new Set();
      new MutationObserver(() => seen.add(document.querySelector('h1')?.textContent)).observe(document.body, { childList: true, subtree: true });
    });
    await app.send(typed);
    await app.shows(words.doneTitle);
    expect(await app.page.evaluate(() => [.../** @type {any} */ (window).seen])).toContain(words.progressTitle);
    expect(app.asked.slice(0, 2)).toEqual(['/activation/v1/start', '/activation/v1/finish']);
  });
  await test.step('次へ leads to the code, which is accepted', async () => {
    await app.link(words.next).click();
    await app.shows(words.title);
    await expect(app.cards).toHaveCount(1);
    await signsIn({ page, labels }, await app.code());
  });
  await test.step('the address and the history hold no id', async () => {
    expect(app.page.url()).toBe(new URL('/app/#/', demo.url).href);
    await app.page.goBack().catch(() => null);
    expect(app.page.url()).not.toContain(typed.userId.replaceAll('-', ''));
  });
});

test('j3 the download page leads to the app, which then asks for the ids', async ({ demo, labels, words, app }) => {
  await app.page.goto(new URL('/download', demo.url).href);
  await expectTitle(app.page, labels.download.title);
  await app.link(words.install).click();
  await app.shows(words.firstTitle);
  await expect(app.serviceId).toBeVisible();
});

test('j3 who has the app adds another token', async ({ page, demo, labels, words, order, app }) => {
  await app.open(demo.url);
  await app.add(await order(demo.user('general')));
  const second = demo.user('general', 1);
  const typed = await order(second);

  await app.link(words.add).click();
  await app.shows(words.addTitle);
  await app.add(typed);
  await expect(app.cards).toHaveCount(2);
  await signsIn({ page, labels }, await app.code(app.cards.last()));
});

test('j3 the link of the waiting page fills in both ids, and only the activation password is left', async ({ page, demo, labels, words, order, app }) => {
  const { userId, activationPassword } = await order();
  const link = page.locator('.scan a');
  await app.page.goto((await link.getAttribute('href')) ?? '');
  await expect(app.serviceId).toHaveValue(demo.serviceId);
  await expect(app.userId).toHaveValue(userId);
  await expect(app.password).toBeFocused();
  expect(app.page.url(), 'the address is free of ids').toBe(new URL('/app/#/add', demo.url).href);
  await app.page.keyboard.type(activationPassword);
  await app.page.keyboard.press('Enter');
  await app.finish();
  await signsIn({ page, labels }, await app.code());
  expect(words.serviceId).toBe(labels.mail.serviceId);
});

test('r48 a typing mistake is told with no request, and named at its field', async ({ demo, words, order, app }) => {
  const typed = await order();
  await app.open(demo.url);
  /** @type {string[]} */
  const sent = [];
  app.page.on('request', (request) => request.method() !== 'GET' && sent.push(request.url()));

  await app.send({ ...typed, userId: mistyped(typed.userId) });
  const problems = app.page.getByRole('alert');
  await expect(problems).toContainText(words.problems);
  await expect(problems).toContainText(words.mistyped);
  await expect(problems).toBeFocused();
  await expect(app.userId).toHaveAttribute('aria-invalid', 'true');
  await expect(app.userId).toHaveAccessibleDescription(new RegExp(words.mistyped.replaceAll('.', '\\.')));
  await expect(app.serviceId).not.toHaveAttribute('aria-invalid');
  await expect(app.serviceId).toHaveValue(typed.serviceId);
  await problems.getByRole('link', { name: words.mistyped }).click();
  await expect(app.userId).toBeFocused();

  expect(sent, 'nothing was sent').toEqual([]);
  await app.add(typed);
});

test('a wrong activation password is told, and nothing of the try is left', async ({ demo, words, order, app }) => {
  const typed = await order();
  await app.open(demo.url);
  await app.send({ ...typed, activationPassword: '507194' });
  await app.shows(words.refusedTitle);
  await expect(app.page.getByRole('alert')).toContainText(words.wrongIdsOrPassword);
  await app.button(words.enterAgain).click();
  await expect(app.userId, 'the ids need not be typed again').toHaveValue(typed.userId);
  await expect(app.password).toHaveValue('');
  await app.add(typed);
  await expect(app.cards).toHaveCount(1);
});

test('j3 a person without a mouse sets up the app and hears the code', async ({ page, demo, labels, words, order, app }) => {
  const typed = await order();
  await app.open(demo.url);
  const { page: screen, main } = app;

  await test.step('the first stop leads past the head', async () => {
    await screen.keyboard.press('Tab');
    await expect(screen.locator(':focus')).toHaveAttribute('href', '#main');
  });
  await test.step('the form', async () => {
    await typeInto(screen, app.serviceId, typed.serviceId);
    await typeInto(screen, app.userId, typed.userId);
    await typeInto(screen, app.password, typed.activationPassword);
    await enter(screen, app.button(words.send));
    await app.shows(words.doneTitle);
  });
  await test.step('the completion page, from its heading on', async () => {
    await expect(main.getByRole('heading', { level: 1 })).toBeFocused();
    await enter(screen, app.link(words.next));
    await app.shows(words.title);
    await expect(main.getByRole('heading', { level: 1 })).toBeFocused();
  });
  await test.step('the code is said digit by digit, and copied with Enter', async () => {
    await app.code();
    await screen.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await enter(screen, app.codeButton());
    await expect(screen.getByText(words.copied, { exact: true })).toBeVisible();
    expect(await screen.evaluate(() => navigator.clipboard.readText())).toMatch(/^\d{6}$/);
  });
  await signsIn({ page, labels }, await app.code());
});
