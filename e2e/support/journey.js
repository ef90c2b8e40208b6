// The steps that people take on the pages, in the manual's words.
import { expect } from '@playwright/test';

/**
 * @typedef {import('@playwright/test').Page} Page
 * @typedef {import('./labels.js').Labels} Labels
 * @typedef {import('./service.js').User} User
 * @typedef {import('./mail.js').Mailbox} Mailbox
 * @typedef {import('./authenticator.js').Authenticator} Authenticator
 */

/** An activation password that is nobody's birthday. */
export const ACTIVATION_PASSWORD = '507193';

/** @param {Page} page @param {string} title @param {{ within_ms?: number }} [how] */
export async function expectTitle(page, title, { within_ms } = {}) {
  await expect(page.getByRole('heading', { level: 1, name: title, exact: true })).toBeVisible({ timeout: within_ms });
}

/** The page of a person who waits loads itself again when the mail is out: waits until it has. @param {Page} page @param {Labels} labels */
export async function expectMailSent(page, labels) {
  await expect(page.getByRole('definition').getByText(labels.waiting.mailSent, { exact: true })).toBeVisible();
}

/**
 * J0: login id and password.
 *
 * @param {Page} page @param {Labels} labels @param {string} url @param {User} user
 */
export async function signIn(page, labels, url, user) {
  // A page that waits for an app loads itself anew when the app is done, and that may be now: it interrupts either of these.
  await expect(async () => {
    await page.goto('about:blank');
    await page.goto(new URL('/sign-in', url).href);
  }).toPass();
  await expectTitle(page, labels.signIn.title);
  await page.getByLabel(labels.signIn.loginId, { exact: true }).fill(user.login_id);
  await page.getByLabel(labels.signIn.password, { exact: true }).fill(user.password);
  await page.getByRole('main').getByRole('button', { name: labels.signIn.button, exact: true }).click();
}

/** @param {Page} page @param {Labels} labels */
export async function signOut(page, labels) {
  await page.getByRole('banner').getByRole('button', { name: labels.signIn.out, exact: true }).click();
  await expectTitle(page, labels.signIn.title);
}

/**
 * J1: fills in the issuance page and sends it.
 *
 * @param {Page} page @param {Labels} labels
 * @param {{ mail: string, activationPassword: string, mailAgain?: string, passwordAgain?: string }} form
 */
export async function askForToken(page, labels, { mail, activationPassword, mailAgain = mail, passwordAgain = activationPassword }) {
  await expectTitle(page, labels.issuance.title);
  await page.getByLabel(labels.issuance.mail, { exact: true }).fill(mail);
  await page.getByLabel(labels.issuance.mailAgain, { exact: true }).fill(mailAgain);
  await page.getByLabel(labels.issuance.password, { exact: true }).fill(activationPassword);
  await page.getByLabel(labels.issuance.passwordAgain, { exact: true }).fill(passwordAgain);
  await page.getByRole('button', { name: labels.issuance.button, exact: true }).click();
}

/**
 * J4: types a code and sends it.
 *
 * @param {Page} page @param {Labels} labels @param {string} code
 */
export async function enterCode(page, labels, code) {
  await expectTitle(page, labels.verification.title);
  await page.getByLabel(labels.verification.code, { exact: true }).fill(code);
  await page.getByRole('button', { name: labels.verification.button, exact: true }).click();
}

/**
 * The whole way of a user who has no token: sign-in, issuance, mail, app, first code. Ends on the top page.
 *
 * @param {Page} page @param {Labels} labels
 * @param {{ url: string, mails: Mailbox }} service `url`: for the browser and the app
 * @param {User} user @param {Authenticator} app
 * @param {{ mail?: string, activationPassword?: string, known?: string[] }} [choices]
 *   `known`: token user ids of earlier mails to the same address
 * @returns {Promise<{ userId: string, serviceId: string, code: string }>} what the mail brought and the code that was used
 */
export async function enrol(page, labels, service, user, app, choices = {}) {
  const { mail = `${user.login_id}@example.co.jp`, activationPassword = ACTIVATION_PASSWORD, known = [] } = choices;
  await signIn(page, labels, service.url, user);
  await askForToken(page, labels, { mail, activationPassword });
  await expectTitle(page, labels.waiting.title);

  const { serviceId, userId } = await service.mails.ids(mail, known);
  const added = await app.add({ server: service.url, serviceId, userId, activationPassword });
  expect(added.status, added.stderr).toBe(0);

  // The page sees by itself that the app is done.
  await expectTitle(page, labels.waiting.activated);
  await page.getByRole('main').getByRole('link', { name: labels.waiting.toVerification }).click();
  const code = await app.code();
  await enterCode(page, labels, code);
  await expectTitle(page, labels.top.title);
  return { serviceId, userId, code };
}

/**
 * Signs in a user whose app is set up. Ends on the top page.
 *
 * @param {Page} page @param {Labels} labels @param {string} url @param {User} user @param {Authenticator} app
 */
export async function signInWithCode(page, labels, url, user, app) {
  await signIn(page, labels, url, user);
  await enterCode(page, labels, await app.code());
  await expectTitle(page, labels.top.title);
}

/**
 * Signs in and enters wrong codes until the one-time password is suspended.
 *
 * @param {Page} page @param {Labels} labels @param {string} url @param {User} user
 */
export async function suspend(page, labels, url, user) {
  await signIn(page, labels, url, user);
  for (const left of [4, 3, 2, 1]) {
    await enterCode(page, labels, WRONG_CODE);
    await expect(page.getByRole('alert')).toContainText(labels.refusals.codeWrong(left));
  }
  await enterCode(page, labels, WRONG_CODE);
  await expectTitle(page, labels.suspended.title);
}

/** Six digits that are the code of the moment once in 300,000 minutes. */
export const WRONG_CODE = '000000';

/**
 * J5 and J6: from the top page to the list of one of the two tasks.
 *
 * @param {Page} page @param {Labels} labels @param {string} task the label of the task
 */
export async function openTask(page, labels, task) {
  await page.getByRole('link', { name: labels.manage.title, exact: true }).first().click();
  await expectTitle(page, labels.manage.title);
  await page.getByRole('link', { name: labels.manage.users, exact: true }).last().click();
  await expectTitle(page, labels.manage.users);
  await page.getByRole('link', { name: task, exact: true }).last().click();
  await expectTitle(page, task);
}

/** The check box of a user in a list. @param {Page} page @param {User} user */
export function choice(page, user) {
  return page.getByRole('row').filter({ hasText: user.login_id }).getByRole('checkbox');
}

/** The row of a user in a list or a result. @param {Page} page @param {User} user */
export function row(page, user) {
  return page.getByRole('row').filter({ hasText: user.login_id });
}

/** In the night a revoked user gets a new token at 08:10 in Tokyo (J6): who is to be refused first is not revoked just before. */
async function notJustBeforeTheOpening() {
  const ofDayMs = (Date.now() + 9 * 3_600_000) % 86_400_000;
  const untilMs = (8 * 60 + 10) * 60_000 - ofDayMs;
  if (untilMs > 0 && untilMs < 60_000) await new Promise((resolve) => setTimeout(resolve, untilMs + 1_000));
}

/**
 * Chooses users in the list, gives the confirmation password and presses the button.
 *
 * @param {Page} page @param {Labels} labels
 * @param {{ actor: User, targets: User[], button: string, confirmationPassword?: string }} act
 */
export async function carryOut(page, labels, { actor, targets, button, confirmationPassword = actor.confirmation_password }) {
  for (const target of targets) await choice(page, target).check();
  if (button === labels.manage.revokeButton) await notJustBeforeTheOpening();
  await page.getByLabel(labels.manage.confirmationPassword, { exact: true }).fill(confirmationPassword);
  await page.getByRole('main').getByRole('button', { name: button, exact: true }).click();
}
