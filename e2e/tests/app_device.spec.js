// The questions that an active token asks its server (J7, R61), by the phone app's core in a real browser.
import { AppCore } from '../support/app_core.js';
import { ACTIVATION_PASSWORD, askForToken, carryOut, enterCode, expectTitle, openTask, signIn, signOut } from '../support/journey.js';
import { expect, test } from '../support/test.js';

test('an app learns from its server how its token stands, and what time it is', async ({ page, demo, labels, otherPerson }) => {
  const master = demo.user('master');
  const mail = `${master.login_id}@example.co.jp`;
  await signIn(page, labels, demo.url, master);
  await askForToken(page, labels, { mail, activationPassword: ACTIVATION_PASSWORD });
  const { serviceId, userId } = await demo.mails.ids(mail);
  const app = await new AppCore(await otherPerson()).start(demo.url);
  const { done: id } = await app.call('begin', { serviceId, tokenUserId: userId, password: ACTIVATION_PASSWORD });
  const token = async () => (await app.call('tokens'))[0];

  // Nobody asked for it: the app asks by itself when the activation is done.
  await expect.poll(async () => (await token()).standing).toBe('activated');
  expect(await token()).toMatchObject({ clock: { state: 'right' }, serviceName: { ja: expect.any(String), en: expect.any(String) } });
  expect((await token()).userName).not.toBe('');

  await expectTitle(page, labels.waiting.activated);
  await page.getByRole('main').getByRole('link', { name: labels.waiting.toVerification }).click();
  await enterCode(page, labels, (await app.call('code', id)).code);
  await expectTitle(page, labels.top.title);
  expect(await app.call('refresh', id)).toEqual({ reached: true });
  expect((await token()).standing).toBe('in_use');
  expect(await app.call('renew', id)).toEqual({ refused: 'renewal_not_open' });

  await test.step('a service whose clock is two minutes ahead', async () => {
    await signOut(page, labels);
    await demo.restart({ ahead_s: 120 });
    expect(await app.call('refresh')).toEqual({ reached: true });
    const { clock } = await token();
    expect(clock.state).toBe('warn');
    expect(Math.abs(clock.offsetMs - 120_000)).toBeLessThan(5_000);
    await signIn(page, labels, demo.url, master);
    await enterCode(page, labels, (await app.call('code', id)).code);
    await expectTitle(page, labels.top.title);
  });

  await test.step('a revoked token gives no codes', async () => {
    await openTask(page, labels, labels.manage.revoke);
    await carryOut(page, labels, { actor: master, targets: [master], button: labels.manage.revokeButton });
    await expect.poll(async () => (await app.call('refresh')) && (await token()).standing).toBe('revoked');
    expect(await app.call('code', id)).toEqual({ refused: 'revoked' });
  });
});
