// J0 to J4: from no token to signed in, and what refuses on the way.
import { en, ja } from '../support/labels.js';
import { expect, test } from '../support/test.js';
import {
  ACTIVATION_PASSWORD,
  askForToken,
  enrol,
  enterCode,
  expectMailSent,
  expectTitle,
  signIn,
  signInWithCode,
  signOut,
} from '../support/journey.js';

/** Longer than the pause between two requests for the same mail. */
const A_WHILE_S = 120;

test('a master asks for a token, sets up the app, enters the code and is signed in', async ({ page, demo, labels, phone }) => {
  const master = demo.user('master');
  const app = phone();
  const { serviceId, userId } = await enrol(page, labels, demo, master, app);

  await test.step('the mail had the two ids, each on a line of its own', async () => {
    expect(serviceId).toBe(demo.serviceId);
    const { mail } = await demo.mails.ids(`${master.login_id}@example.co.jp`);
    const lines = mail.text.split(/\r?\n/);
    expect(lines.filter((line) => line === `${labels.mail.serviceId}: ${serviceId}`)).toHaveLength(1);
    expect(lines.filter((line) => line === `${labels.mail.tokenUserId}: ${userId}`)).toHaveLength(1);
  });

  await test.step('and signs in with a new code the next time', async () => {
    await signOut(page, labels);
    await signInWithCode(page, labels, demo.url, master, app);
  });
});

test('a code is accepted once', async ({ page, demo, labels, phone }) => {
  const user = demo.user('general');
  const { code } = await enrol(page, labels, demo, user, phone());
  await signOut(page, labels);
  await signIn(page, labels, demo.url, user);
  await enterCode(page, labels, code);
  await expect(page.getByRole('alert')).toContainText(labels.refusals.codeUsed);
});

test('a typing error on the issuance page names the field and keeps the mail address', async ({ page, demo, labels }) => {
  await signIn(page, labels, demo.url, demo.user('general'));
  const mail = 'taro@example.co.jp';
  const field = (/** @type {string} */ label) => page.getByLabel(label, { exact: true });

  await askForToken(page, labels, { mail, mailAgain: 'jiro@example.co.jp', activationPassword: ACTIVATION_PASSWORD });
  await expect(page.getByRole('alert')).toContainText(labels.refusals.mailMismatch);
  await expect(field(labels.issuance.mailAgain)).toHaveAttribute('aria-invalid', 'true');
  await expect(field(labels.issuance.mail)).toHaveValue(mail);

  await askForToken(page, labels, { mail, activationPassword: ACTIVATION_PASSWORD, passwordAgain: '507194' });
  await expect(page.getByRole('alert')).toContainText(labels.refusals.passwordMismatch);
  await expect(field(labels.issuance.passwordAgain)).toHaveAttribute('aria-invalid', 'true');
  await expect(field(labels.issuance.mail)).toHaveValue(mail);

  await askForToken(page, labels, { mail, activationPassword: ACTIVATION_PASSWORD });
  await expectTitle(page, labels.waiting.title);
});

test('a user who waits may have the mail sent again, and may start over', async ({ page, demo, labels, phone }) => {
  const user = demo.user('general');
  const mail = 'first@example.co.jp';
  await signIn(page, labels, demo.url, user);
  await askForToken(page, labels, { mail, activationPassword: ACTIVATION_PASSWORD });
  await expectTitle(page, labels.waiting.title);
  const first = await demo.mails.ids(mail);

  await test.step('not at once', async () => {
    await expectMailSent(page, labels);
    await page.getByRole('button', { name: labels.waiting.sendAgain }).click();
    await expect(page.getByRole('alert')).toContainText(labels.refusals.tooManyRequests);
  });
  await test.step('and the refusal leads on to the other language, and back', async () => {
    const other = labels === ja ? en : ja;
    await page.getByRole('link', { name: labels.otherLanguage }).click();
    await expectTitle(page, other.waiting.title);
    await page.getByRole('link', { name: other.otherLanguage }).click();
    await expectTitle(page, labels.waiting.title);
  });
  await demo.restart({ ahead_s: A_WHILE_S });
  await page.getByRole('button', { name: labels.waiting.sendAgain }).click();
  await expectTitle(page, labels.waiting.title);
  await expect.poll(async () => (await demo.mails.all()).filter((mail) => mail.text.includes(first.userId)).length).toBe(2);
  await expectMailSent(page, labels);

  await page.getByRole('button', { name: labels.waiting.startOver }).click();
  await enrolFromIssuancePage();

  const cancelled = await phone().add({
    server: demo.url,
    serviceId: first.serviceId,
    userId: first.userId,
    activationPassword: ACTIVATION_PASSWORD,
  });
  expect(cancelled.status, 'the cancelled token is refused').toBe(1);

  async function enrolFromIssuancePage() {
    const activationPassword = '80462';
    await askForToken(page, labels, { mail, activationPassword });
    await expectTitle(page, labels.waiting.title);
    const { serviceId, userId } = await demo.mails.ids(mail, [first.userId]);
    const app = phone();
    app.ahead_s = A_WHILE_S;
    expect((await app.add({ server: demo.url, serviceId, userId, activationPassword })).status).toBe(0);
    await expectTitle(page, labels.waiting.activated);
    await page.getByRole('main').getByRole('link', { name: labels.waiting.toVerification }).click();
    await enterCode(page, labels, await app.code());
    await expectTitle(page, labels.top.title);
  }
});

test('a wrong activation password is refused five times, and then the right one too', async ({ page, demo, labels, phone }) => {
  const mail = 'hanako@example.co.jp';
  await signIn(page, labels, demo.url, demo.user('general'));
  await askForToken(page, labels, { mail, activationPassword: ACTIVATION_PASSWORD });
  await expectTitle(page, labels.waiting.title);
  const { serviceId, userId } = await demo.mails.ids(mail);
  const app = phone();
  const add = (/** @type {string} */ activationPassword) => app.add({ server: demo.url, serviceId, userId, activationPassword });

  for (const wrong of ['507190', '507191', '507192', '507194', '507195']) {
    expect((await add(wrong)).status).toBe(1);
  }
  expect((await add(ACTIVATION_PASSWORD)).status, 'the issuance is locked').toBe(1);
});

test('sign-in tells an unknown user and a wrong password alike', async ({ page, demo, labels }) => {
  const master = demo.user('master');
  /** @type {string[]} */
  const answers = [];
  for (const user of [
    { ...master, password: 'not the password' },
    { ...master, login_id: 'nobody-of-that-name' },
  ]) {
    await signIn(page, labels, demo.url, user);
    await expect(page.getByRole('alert')).toContainText(labels.refusals.signIn);
    answers.push(await page.getByRole('alert').innerText());
  }
  expect(answers[1]).toBe(answers[0]);
});

test('the language is changed on the page', async ({ page, demo, labels }) => {
  await page.goto(new URL('/sign-in', demo.url).href);
  await expect(page.locator('html')).toHaveAttribute('lang', labels.language);
  await page.getByRole('link', { name: labels.otherLanguage }).click();
  await expect(page.locator('html')).toHaveAttribute('lang', labels.language === 'ja' ? 'en' : 'ja');
});

test('what the demo keeps is there after a restart', async ({ page, demo, labels, phone }) => {
  const user = demo.user('general', 1);
  const app = phone();
  await enrol(page, labels, demo, user, app);
  await demo.restart();
  await test.step('the session', async () => {
    await page.goto(demo.url);
    await expectTitle(page, labels.top.title);
    await signOut(page, labels);
  });
  await signInWithCode(page, labels, demo.url, user, app);
});
