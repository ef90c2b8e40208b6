// J5: five wrong codes suspend, and the right colleague releases.
import { expect, test } from '../support/test.js';
import { carryOut, enrol, expectTitle, openTask, row, signIn, signInWithCode, signOut, suspend } from '../support/journey.js';

test('five wrong codes suspend a master, and an administrator releases', async ({ page, demo, labels, phone, otherPerson }) => {
  const master = demo.user('master');
  const administrator = demo.user('administrator');
  const mastersApp = phone();
  await enrol(page, labels, demo, master, mastersApp);
  await signOut(page, labels);
  await suspend(page, labels, demo.url, master);

  await test.step('the next sign-in is refused, and says who can release', async () => {
    await signIn(page, labels, demo.url, master);
    await expectTitle(page, labels.suspended.title);
  });

  const administratorsPage = await otherPerson();
  await test.step('the administrator releases', async () => {
    await enrol(administratorsPage, labels, demo, administrator, phone());
    await openTask(administratorsPage, labels, labels.manage.release);
    await expect(administratorsPage.getByRole('rowheader'), 'the list has the suspended users only').toHaveCount(1);

    await carryOut(administratorsPage, labels, {
      actor: administrator,
      targets: [master],
      button: labels.manage.releaseButton,
      confirmationPassword: 'not the confirmation password',
    });
    await expect(administratorsPage.getByRole('alert')).toContainText(labels.refusals.confirmationWrong);

    await carryOut(administratorsPage, labels, {
      actor: administrator,
      targets: [master],
      button: labels.manage.releaseButton,
    });
    await expectTitle(administratorsPage, labels.manage.releaseResult);
    await expect(row(administratorsPage, master)).toContainText(labels.manage.released);
  });

  await test.step('the master signs in again with the same token', async () => {
    await signInWithCode(page, labels, demo.url, master, mastersApp);
  });
});

test('a master releases a general user', async ({ page, demo, labels, phone, otherPerson }) => {
  const general = demo.user('general', 2);
  const master = demo.user('master');
  const app = phone();
  await enrol(page, labels, demo, general, app);
  await signOut(page, labels);
  await suspend(page, labels, demo.url, general);

  const mastersPage = await otherPerson();
  await enrol(mastersPage, labels, demo, master, phone());
  await openTask(mastersPage, labels, labels.manage.release);
  await carryOut(mastersPage, labels, { actor: master, targets: [general], button: labels.manage.releaseButton });
  await expect(row(mastersPage, general)).toContainText(labels.manage.released);

  await signInWithCode(page, labels, demo.url, general, app);
});

test('nobody releases themselves: another administrator does', async ({ page, demo, labels, phone, otherPerson }) => {
  const first = demo.user('administrator', 0);
  const second = demo.user('administrator', 1);
  const app = phone();
  await enrol(page, labels, demo, first, app);
  const elsewhere = await otherPerson();
  await suspend(elsewhere, labels, demo.url, first);

  await test.step('the session that was open before ends', async () => {
    await page.goto(new URL('/manage/users/release', demo.url).href);
    await expectTitle(page, labels.signIn.title);
  });

  await test.step('the second administrator releases', async () => {
    const secondsPage = await otherPerson();
    await enrol(secondsPage, labels, demo, second, phone());
    await openTask(secondsPage, labels, labels.manage.release);
    await carryOut(secondsPage, labels, { actor: second, targets: [first], button: labels.manage.releaseButton });
    await expect(row(secondsPage, first)).toContainText(labels.manage.released);
  });
  await signInWithCode(elsewhere, labels, demo.url, first, app);
});

test('a general user has no menu for administration', async ({ page, demo, labels, phone }) => {
  await enrol(page, labels, demo, demo.user('general'), phone());
  await expect(page.getByRole('link', { name: labels.manage.title, exact: true })).toHaveCount(0);
  const answer = await page.goto(new URL('/manage/users/release', demo.url).href);
  expect(answer?.status()).toBe(403);
});
