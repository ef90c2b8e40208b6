// Every page on the way: accessible, in light and dark, on a desktop and on a phone; with its picture.
import { expect, test } from '../support/test.js';
import {
  ACTIVATION_PASSWORD,
  WRONG_CODE,
  askForToken,
  carryOut,
  enrol,
  enterCode,
  expectMailSent,
  expectTitle,
  openTask,
  signIn,
  signOut,
  suspend,
} from '../support/journey.js';
import { inspect } from '../support/inspect.js';

// Some thirty pages, each inspected four times.
test.setTimeout(300_000);

test('no page on the way of a user breaks a rule of accessibility', async ({ page, demo, labels, phone }) => {
  const look = (/** @type {string} */ name) => inspect(page, labels.language, name);
  const address = (/** @type {string} */ path) => new URL(path, demo.url).href;
  const general = demo.user('general');
  const mail = 'hanako.suzuki@example.co.jp';

  await page.goto(address('/sign-in'));
  await look('01-sign-in');
  await signIn(page, labels, demo.url, { ...general, password: 'wrong' });
  await expect(page.getByRole('alert')).toBeVisible();
  await look('02-sign-in-refused');

  await signIn(page, labels, demo.url, general);
  await expectTitle(page, labels.issuance.title);
  await expect(page.getByRole('button', { name: labels.issuance.button, exact: true })).toBeEnabled();
  await look('03-issuance');
  await askForToken(page, labels, { mail, mailAgain: 'hanako', activationPassword: '12', passwordAgain: '13' });
  await expect(page.getByRole('alert')).toBeVisible();
  await look('04-issuance-refused');
  await askForToken(page, labels, { mail, activationPassword: ACTIVATION_PASSWORD });
  await expectTitle(page, labels.waiting.title);
  const { serviceId, userId } = await demo.mails.ids(mail);
  await expectMailSent(page, labels);
  await look('05-waiting');
  await page.goto(address('/download'));
  await expectTitle(page, labels.download.title);
  await look('06-download');

  await page.goto(address('/waiting'));
  const app = phone();
  const added = await app.add({ server: demo.url, serviceId, userId, activationPassword: ACTIVATION_PASSWORD });
  expect(added.status, added.stderr).toBe(0);
  await expectTitle(page, labels.waiting.activated);
  await look('07-waiting-activated');
  await page.getByRole('main').getByRole('link', { name: labels.waiting.toVerification }).click();
  await expectTitle(page, labels.verification.title);
  await look('08-verification');
  await enterCode(page, labels, WRONG_CODE);
  await expect(page.getByRole('alert')).toBeVisible();
  await look('09-verification-refused');
  await enterCode(page, labels, await app.code());
  await expectTitle(page, labels.top.title);
  await look('10-top-general');
  await page.goto(address('/no-such-page'));
  await look('11-not-found');

  await page.goto(demo.url);
  await signOut(page, labels);
  await look('12-signed-out');
  await suspend(page, labels, demo.url, general);
  await look('13-suspended');

  await page.goto(address('/demo'));
  await look('30-demo-accounts');
  await page.goto(address('/demo/mail'));
  await look('31-demo-mails');
  await page.getByRole('main').getByRole('rowheader').getByRole('link').last().click();
  await look('32-demo-mail');
});

test('no page of the administration breaks a rule of accessibility', async ({ page, demo, labels, phone, otherPerson }) => {
  const look = (/** @type {string} */ name) => inspect(page, labels.language, name);
  const master = demo.user('master');
  const general = demo.user('general');
  const elsewhere = await otherPerson();
  await enrol(elsewhere, labels, demo, general, phone());
  await signOut(elsewhere, labels);

  await enrol(page, labels, demo, master, phone());
  await look('14-top-master');
  await openTask(page, labels, labels.manage.release);
  await look('20-release-nobody');
  await suspend(elsewhere, labels, demo.url, general);
  await page.goto(demo.url);
  await openTask(page, labels, labels.manage.release);
  await look('21-release');
  await carryOut(page, labels, {
    actor: master,
    targets: [general],
    button: labels.manage.releaseButton,
    confirmationPassword: 'wrong',
  });
  await expect(page.getByRole('alert')).toBeVisible();
  await look('22-release-refused');
  await carryOut(page, labels, { actor: master, targets: [general], button: labels.manage.releaseButton });
  await expectTitle(page, labels.manage.releaseResult);
  await look('23-release-result');

  await page.getByRole('link', { name: labels.manage.backToUsers }).click();
  await expectTitle(page, labels.manage.users);
  await look('24-users');
  await page.goto(new URL('/manage', demo.url).href);
  await look('25-manage');
  await page.goto(new URL('/manage/users/revoke', demo.url).href);
  await expectTitle(page, labels.manage.revoke);
  await look('26-revoke');
  await carryOut(page, labels, { actor: master, targets: [general], button: labels.manage.revokeButton });
  await expectTitle(page, labels.manage.revokeResult);
  await look('27-revoke-result');

  await signIn(elsewhere, labels, demo.url, general);
  await expectTitle(elsewhere, labels.revoked.title);
  await inspect(elsewhere, labels.language, '28-revoked');
});
