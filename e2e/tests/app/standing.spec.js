// What the service says of a token, and signed: the app shows it, and what to do next.
import { Bank } from '../../support/bank.js';
import { expect, test } from '../../support/app_test.js';

/** The person looks at the app again. @param {import('../../support/phone_app.js').PhoneApp} app */
async function lookAgain(app) {
  await app.hide();
  await app.unhide();
}

test('a new token is told as set up, and as in use after its first code', async ({ demo, words, order, app }) => {
  const user = demo.user('general');
  await app.open(demo.url);
  await app.add(await order(user));
  const standing = app.main.locator('dt', { hasText: words.token.standing }).locator('xpath=following-sibling::dd');

  await test.step('by the names of the service and its user', async () => {
    await expect(app.cards.getByRole('heading', { level: 2 })).not.toHaveText(demo.serviceId);
    await expect(app.cards).toContainText('高橋 誠');
  });
  const code = await app.code();
  await app.cards.getByRole('link').first().click();
  await expect(standing).toContainText(words.token.activated);
  await expect(app.main.locator('dd', { hasText: words.clock.right })).toBeVisible();
  expect(await new Bank(demo).verdict(user, code)).toBe('accepted');
  await app.main.getByRole('heading', { level: 1 }).focus();
  await app.link(words.back).click();
  await lookAgain(app);
  await app.code();
  await expect(async () => {
    await app.cards.getByRole('link').first().click();
    try {
      await expect(standing).toContainText(words.token.inUse, { timeout: 2_000 });
    } finally {
      await app.link(words.back).click();
    }
  }).toPass();
});

test('a suspended token shows no code and says who releases it, and shows codes again when released', async ({ demo, words, order, app }) => {
  const user = demo.user('general');
  const bank = new Bank(demo);
  await app.open(demo.url);
  await app.add(await order(user));
  await app.code();

  await bank.suspend(user);
  await lookAgain(app);
  await expect(app.cards).toContainText(words.standing.suspended);
  await expect(app.cards).toContainText(words.standing.suspendedNext);
  await expect(app.codeButton()).toHaveCount(0);
  await test.step('after a new start as well, also without a network', async () => {
    await app.keptOffline();
    await demo.stop();
    await app.page.reload();
    await expect(app.cards).toContainText(words.standing.suspended);
    await demo.run(0);
  });

  await bank.release(user);
  await lookAgain(app);
  expect(await bank.verdict(user, await app.code())).toBe('accepted');
});

test('a revoked token shows no code and says what is next, and the new one works beside it', async ({ demo, words, order, app }) => {
  const user = demo.user('general');
  await app.open(demo.url);
  await app.add(await order(user));
  await app.code();

  await new Bank(demo).revoke(user);
  await lookAgain(app);
  await expect(app.cards).toContainText(words.standing.revoked);
  await expect(app.cards).toContainText(words.standing.revokedNext);
  await expect(app.codeButton()).toHaveCount(0);
  await app.page.reload();
  await expect(app.cards).toContainText(words.standing.revoked);

  const other = demo.user('general', 1);
  await app.link(words.add).click();
  await app.add(await order(other));
  expect(await new Bank(demo).verdict(other, await app.code(app.cards.last()))).toBe('accepted');
});
