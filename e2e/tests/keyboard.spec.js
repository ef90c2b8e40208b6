// The whole journey without a mouse.
import { expect, test } from '../support/test.js';
import { ACTIVATION_PASSWORD, choice, enrol, expectTitle, row, signOut, suspend } from '../support/journey.js';
import { enter, tick, typeInto } from '../support/keyboard.js';

test('a person without a mouse gets a token, signs in and releases a colleague', async ({ page, demo, labels, phone, otherPerson }) => {
  const master = demo.user('master');
  const general = demo.user('general');
  const elsewhere = await otherPerson();
  await enrol(elsewhere, labels, demo, general, phone());
  await signOut(elsewhere, labels);
  await suspend(elsewhere, labels, demo.url, general);

  const field = (/** @type {string} */ label) => page.getByLabel(label, { exact: true });
  const main = page.getByRole('main');
  const button = (/** @type {string} */ name) => main.getByRole('button', { name, exact: true });
  const link = (/** @type {string} */ name) => main.getByRole('link', { name, exact: true }).last();

  await test.step('sign-in', async () => {
    await page.goto(new URL('/sign-in', demo.url).href);
    await typeInto(page, field(labels.signIn.loginId), master.login_id);
    await typeInto(page, field(labels.signIn.password), master.password);
    await enter(page, button(labels.signIn.button));
  });

  const mail = 'no-mouse@example.co.jp';
  await test.step('issuance', async () => {
    await expectTitle(page, labels.issuance.title);
    await typeInto(page, field(labels.issuance.mail), mail);
    await typeInto(page, field(labels.issuance.mailAgain), mail);
    await typeInto(page, field(labels.issuance.password), ACTIVATION_PASSWORD);
    await typeInto(page, field(labels.issuance.passwordAgain), ACTIVATION_PASSWORD);
    await enter(page, button(labels.issuance.button));
    await expectTitle(page, labels.waiting.title);
  });

  const app = phone();
  await test.step('app and first code', async () => {
    const { serviceId, userId } = await demo.mails.ids(mail);
    const added = await app.add({ server: demo.url, serviceId, userId, activationPassword: ACTIVATION_PASSWORD });
    expect(added.status, added.stderr).toBe(0);
    await expectTitle(page, labels.waiting.activated);
    await enter(page, link(labels.waiting.toVerification));
    await expectTitle(page, labels.verification.title);
    await typeInto(page, field(labels.verification.code), await app.code());
    await enter(page, button(labels.verification.button));
  });

  await test.step('release', async () => {
    await expectTitle(page, labels.top.title);
    for (const title of [labels.manage.title, labels.manage.users, labels.manage.release]) {
      await enter(page, link(title));
      await expectTitle(page, title);
    }
    await tick(page, choice(page, general));
    await typeInto(page, field(labels.manage.confirmationPassword), master.confirmation_password);
    await enter(page, button(labels.manage.releaseButton));
    await expectTitle(page, labels.manage.releaseResult);
    await expect(row(page, general)).toContainText(labels.manage.released);
  });

  await test.step('and the first stop on every page leads past the head', async () => {
    await page.goto(demo.url);
    await page.keyboard.press('Tab');
    await expect(page.locator(':focus')).toHaveAttribute('href', '#main');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('main')).toBeFocused();
  });
});
