// J6: revocation acts at once, and a new token may be had when the time has come.
import { expect, test } from '../support/test.js';
import { carryOut, enrol, enterCode, expectTitle, openTask, row, signIn, signOut } from '../support/journey.js';

/** Longer than any wait of the manual's policy: from 20:50 to 08:10, and a margin. */
const AFTER_THE_WAIT_S = 12 * 60 * 60;

test('a revoked user is refused until the time for a new token, and then gets one', async ({ page, demo, labels, phone, otherPerson }) => {
  const general = demo.user('general', 3);
  const administrator = demo.user('administrator');
  const oldApp = phone();
  const { userId } = await enrol(page, labels, demo, general, oldApp);
  await signOut(page, labels);

  await test.step('an administrator revokes the token', async () => {
    const administratorsPage = await otherPerson();
    await enrol(administratorsPage, labels, demo, administrator, phone());
    await openTask(administratorsPage, labels, labels.manage.revoke);
    await carryOut(administratorsPage, labels, { actor: administrator, targets: [general], button: labels.manage.revokeButton });
    await expectTitle(administratorsPage, labels.manage.revokeResult);
    await expect(row(administratorsPage, general)).toContainText(labels.manage.revoked);
  });

  await test.step('sign-in is refused, and says from when it is open again', async () => {
    await signIn(page, labels, demo.url, general);
    await expectTitle(page, labels.revoked.title);
    await expect(page.getByRole('alert')).toContainText(/\d{1,2}:\d{2}/);
  });

  await test.step('when the time has come, a new token is issued', async () => {
    await demo.restart({ ahead_s: AFTER_THE_WAIT_S });
    await page.context().clearCookies();
    const newApp = phone();
    newApp.ahead_s = AFTER_THE_WAIT_S;
    await enrol(page, labels, demo, general, newApp, { known: [userId], activationPassword: '39175' });

    await signOut(page, labels);
    oldApp.ahead_s = AFTER_THE_WAIT_S;
    await signIn(page, labels, demo.url, general);
    await enterCode(page, labels, await oldApp.code());
    await expect(page.getByRole('alert')).toContainText(labels.refusals.codeWrong(4));
    await enterCode(page, labels, await newApp.code());
    await expectTitle(page, labels.top.title);
  });
});

test('a master may revoke the own token', async ({ page, demo, labels, phone }) => {
  const master = demo.user('master');
  await enrol(page, labels, demo, master, phone());
  await openTask(page, labels, labels.manage.revoke);
  await carryOut(page, labels, { actor: master, targets: [master], button: labels.manage.revokeButton });
  await expect(row(page, master)).toContainText(labels.manage.revoked);

  await page.context().clearCookies();
  await signIn(page, labels, demo.url, master);
  await expectTitle(page, labels.revoked.title);
});

test('several users are revoked at once, with a result for each', async ({ page, demo, labels, phone, otherPerson }) => {
  const [one, two] = [demo.user('general', 0), demo.user('general', 1)];
  const master = demo.user('master');
  const apps = new Map([[one, phone()], [two, phone()]]);
  for (const [user, app] of apps) await enrol(await otherPerson(), labels, demo, user, app);
  await enrol(page, labels, demo, master, phone());
  await openTask(page, labels, labels.manage.revoke);
  await carryOut(page, labels, { actor: master, targets: [one, two], button: labels.manage.revokeButton });
  for (const user of [one, two]) await expect(row(page, user)).toContainText(labels.manage.revoked);
});
