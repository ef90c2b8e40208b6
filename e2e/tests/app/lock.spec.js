// The lock of the app: a PIN, or the device's own check of its user.
import { randomBytes } from 'node:crypto';
import { AppCore, codeAt } from '../../support/app_core.js';
import { expect, test } from '../../support/app_test.js';

const PIN = '604817';
const WRONG_PINS = ['715926', '826037', '937148', '048259', '159360', '260471', '371582', '482693', '593704', '604815'];

/** A token whose secrets the test knows. @param {any} fixtures @param {string} [url] */
async function planted({ demo, app }, url = demo.url) {
  const token = { id: 'a0', seed: randomBytes(32), deviceKey: randomBytes(32) };
  const core = await new AppCore(app.page).start(url);
  await core.call('open');
  await core.plant([token]);
  await app.open(url);
  return { ...token, core };
}

/** @param {any} fixtures @param {string} pin @param {string} [again] */
async function typePin({ app, words }, pin, again = pin) {
  await app.page.getByLabel(words.lock.pinNew, { exact: true }).fill(pin);
  await app.page.getByLabel(words.lock.pinAgain, { exact: true }).fill(again);
  await app.button(words.lock.pinSet).click();
}

/** @param {any} fixtures @param {string} pin */
async function tryPin({ app, words }, pin) {
  await app.page.getByLabel(words.lock.pin, { exact: true }).fill(pin);
  await app.button(words.lock.unlock).click();
}

test('a pin locks the app when it is left, and opens it again', async ({ demo, words, app }) => {
  const { seed } = await planted({ demo, app });
  const { lock } = words;
  await app.go('settings/lock');
  await app.shows(lock.title);

  await test.step('a poor pin and a mistyped one are refused at their fields', async () => {
    await typePin({ app, words }, '123456');
    await expect(app.page.getByLabel(lock.pinNew, { exact: true })).toHaveAttribute('aria-invalid', 'true');
    await expect(app.main).toContainText(lock.pinTrivial);
    await typePin({ app, words }, PIN, '604871');
    await expect(app.main).toContainText(lock.pinMismatch);
  });
  await typePin({ app, words }, PIN);
  await expect(app.main).toContainText(lock.isPin);
  await app.page.getByLabel(lock.when, { exact: true }).selectOption({ label: lock.atOnce });

  await test.step('left, it is covered and locks', async () => {
    await app.go('');
    await app.code();
    await app.hide();
    await expect(app.page.locator('[data-cover]')).toBeVisible();
    await app.shows(lock.lockedTitle);
    await app.unhide();
    await expect(app.cards).toHaveCount(0);
    const text = await app.page.evaluate(() => document.body.textContent ?? '');
    expect(text.replace(/\s/g, '')).not.toContain(codeAt(seed, Date.now()));
  });
  await test.step('a wrong pin is told, the right one opens', async () => {
    await tryPin({ app, words }, WRONG_PINS[0]);
    await expect(app.main).toContainText(lock.wrong);
    await tryPin({ app, words }, PIN);
    await app.shows(words.title);
    await app.showsPlanted(seed);
  });
  await test.step('a new start is locked', async () => {
    await app.page.reload();
    await app.shows(lock.lockedTitle);
  });
});

test('whoever finds the app open cannot change what opens it', async ({ demo, words, app }) => {
  const { core } = await planted({ demo, app });
  const { lock } = words;
  await app.go('settings/lock');
  await typePin({ app, words }, PIN);
  await expect(app.main).toContainText(lock.isPin);
  const present = app.page.getByLabel(lock.pinNow, { exact: true });
  const when = app.page.getByLabel(lock.when, { exact: true });

  await test.step('not turn it off, and not let it fall later', async () => {
    await app.button(lock.off).click();
    await expect(present).toHaveAttribute('aria-invalid', 'true');
    await present.fill(WRONG_PINS[0]);
    await app.button(lock.off).click();
    await expect.poll(async () => (await core.kept()).lock.tries).toBe(1);
    await expect(app.main).toContainText(lock.wrong);
    await when.selectOption('300');
    await expect(when).toHaveValue('60');
    await expect(app.main).toContainText(lock.isPin);
  });
  await test.step('let it fall sooner, anybody may', async () => {
    await when.selectOption('0');
    await expect.poll(async () => (await core.kept()).settings.lockAfterS).toBe(0);
    await app.page.reload();
    await app.shows(lock.lockedTitle);
    await tryPin({ app, words }, PIN);
    await expect(when).toHaveValue('0');
  });
  await present.fill(PIN);
  await app.button(lock.off).click();
  await expect(app.main).toContainText(lock.isNone);
});

test('a set-up that waits for the network does not keep the app open', async ({ demo, words, app }) => {
  await planted({ demo, app });
  const { lock } = words;
  await app.go('settings/lock');
  await typePin({ app, words }, PIN);
  await app.page.getByLabel(lock.when, { exact: true }).selectOption({ label: lock.atOnce });
  await app.go('add');
  await app.page.context().setOffline(true);
  await app.send({ serviceId: demo.serviceId, userId: '0000-0000-0000-00', activationPassword: PIN });
  await expect(app.main).toContainText(words.unreachable);

  await app.hide();
  await app.shows(lock.lockedTitle);
  await app.unhide();
  await expect(app.cards).toHaveCount(0);
  await tryPin({ app, words }, PIN);
  await test.step('and it is still there to be continued', async () => {
    await app.go('');
    await expect(app.cards).toHaveCount(2);
  });
});

test('left for less than a minute the app stays open, and for longer it locks', async ({ demo, words, app }) => {
  await planted({ demo, app });
  await app.go('settings/lock');
  await typePin({ app, words }, PIN);
  await expect(app.main).toContainText(words.lock.isPin);
  await app.go('');
  await app.code();
  await app.page.clock.install();

  await app.hide();
  await app.page.clock.fastForward(55_000);
  await app.unhide();
  await expect(app.page.locator('[data-cover]')).toBeHidden();
  await app.code();

  await test.step('also where the timers of a sleeping phone stood still', async () => {
    await app.hide();
    await app.page.clock.setSystemTime(Date.now() + 55_000 + 61_000);
    await app.unhide();
    await app.shows(words.lock.lockedTitle);
    await expect(app.cards).toHaveCount(0);
  });
});

test('ten wrong pins in a row erase the tokens, with a warning on the way', async ({ demo, words, app }) => {
  const { core } = await planted({ demo, app });
  const { lock } = words;
  await app.go('settings/lock');
  await typePin({ app, words }, PIN);
  await expect(app.main).toContainText(lock.isPin);
  await app.page.reload();

  for (const [at, pin] of WRONG_PINS.slice(0, -1).entries()) {
    const left = WRONG_PINS.length - at - 1;
    await tryPin({ app, words }, pin);
    await expect.poll(async () => (await core.kept()).lock.tries).toBe(at + 1);
    await expect(app.main).toContainText(lock.wrong);
    if (at < 3) continue;
    await test.step(`after ${at + 1} the next one has to wait`, async () => {
      if (left <= 5) await expect(app.main).toContainText(lock.triesLeft(left));
      await expect(app.main.locator('button[type=submit]')).toBeDisabled();
      await core.passWait();
      await app.page.reload();
      await app.shows(lock.lockedTitle);
    });
  }
  await tryPin({ app, words }, /** @type {string} */ (WRONG_PINS.at(-1)));
  await app.shows(lock.erasedTitle);
  await expect(app.main).toContainText(lock.erased);
  await app.page.reload();
  await app.shows(lock.erasedTitle);
  await app.button(lock.startOver).click();
  await app.shows(words.firstTitle);
  await app.page.reload();
  await app.shows(words.firstTitle);
  expect((await core.kept()).tokens).toEqual([]);
});

test('the device opens the lock that it set, and only for its user', async ({ demo, words, app }) => {
  const { lock } = words;
  // Passkeys belong to a name, and an address of numbers is none.
  const url = `http://localhost:${demo.port}`;
  const session = await app.page.context().newCDPSession(app.page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      hasPrf: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  const { seed, core } = await planted({ demo, app }, url);
  await app.go('settings/lock');
  await app.button(lock.deviceSet).click();
  await expect(app.main).toContainText(lock.isDevice);
  expect((await core.kept()).lock.kind).toBe('device');

  await app.page.goto(new URL('/sign-in', url).href);
  await app.page.goto(new URL('/app/', url).href);
  await app.shows(lock.lockedTitle);
  await app.button(lock.deviceUnlock).click();
  await app.shows(words.title);
  await app.showsPlanted(seed);

  await test.step('somebody else does not get in', async () => {
    await session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
    await app.page.goto(new URL('/sign-in', url).href);
    await app.page.goto(new URL('/app/', url).href);
    await app.shows(lock.lockedTitle);
    await app.button(lock.deviceUnlock).click();
    await expect(app.page.getByRole('alert')).toContainText(lock.deviceFailed);
    await expect(app.cards).toHaveCount(0);
  });
});
