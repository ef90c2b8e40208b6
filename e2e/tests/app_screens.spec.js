// Every screen of the app for phones, in every state: accessible, in light and dark, on screens of three sizes; with its picture.
// What the server of a token says is signed by keys that the test has planted, where waiting for it would take too long.
import { AppPage, token } from '../support/app_screens.js';
import { Gate } from '../support/gate.js';
import { ACTIVATION_PASSWORD, askForToken, expectTitle, signIn } from '../support/journey.js';
import { expect, test as base } from '../support/test.js';

const DAY_MS = 86_400_000;
const PIN = '604817';
const WRONG_PIN = '715926';

const test = base.extend({
  /** The app on a phone of its own. */
  app: async ({ otherPerson, demo, labels }, use) => {
    const app = new AppPage(await otherPerson(), demo.url, labels.language);
    await app.open();
    await use(app);
  },
});

// Some ten screens each, and each of them inspected six times.
test.setTimeout(600_000);
// The files come from the server each time: none is kept from a screen before.
test.use({ contextOptions: { serviceWorkers: 'block' } });

/** The user's page asks for a token; what the mail brings. @param {any} fixtures */
async function issued({ page, labels, demo }, user = demo.user('general')) {
  const mail = `${user.login_id}@example.co.jp`;
  await signIn(page, labels, demo.url, user);
  await askForToken(page, labels, { mail, activationPassword: ACTIVATION_PASSWORD });
  await expectTitle(page, labels.waiting.title);
  const { serviceId, userId } = await demo.mails.ids(mail);
  return { serviceId, userId, filled: `add?${new URLSearchParams({ service: serviceId, user: userId.replaceAll('-', '') })}` };
}

test('no screen of the set-up breaks a rule of accessibility', async ({ page, demo, labels, app }) => {
  await app.expectTitle('phone-first-title');
  await app.look('01-first');
  await app.press('phone-send');
  await expect(app.page.getByRole('alert')).toBeVisible();
  await app.look('02-problems');

  const { filled } = await issued({ page, labels, demo });
  const password = app.page.getByLabel(app.words['activation-password'], { exact: true });
  await app.open(filled);
  await expect(password).toBeFocused();
  await password.fill(ACTIVATION_PASSWORD);
  await app.press('phone-show-password');
  await app.look('03-filled');

  await test.step('while it talks', async () => {
    /** @type {(() => void) | undefined} */
    let answer;
    const asked = new Promise((resolve) => {
      app.page.route('**/activation/v1/start', async (route) => {
        await new Promise((go) => {
          answer = () => go(undefined);
          resolve(undefined);
        });
        await route.abort();
      });
    });
    await app.press('phone-send');
    await asked;
    await app.expectTitle('phone-progress-title');
    await app.look('04-progress');
    const goOn = await app.waitForEver();
    answer?.();
    await expect(app.page.getByText(app.words['phone-unreachable'])).toBeVisible();
    await app.look('05-unreachable');
    await goOn();
    await app.page.unroute('**/activation/v1/start');
  });
  await test.step('left for later', async () => {
    await app.press('phone-later');
    await app.expectTitle('one-time-password');
    await app.look('06-unfinished');
    await app.press('phone-go-on', 'link');
    await expect(app.page.getByText(app.words['phone-unfinished-password'])).toBeVisible();
    await app.look('07-password-again');
  });
  await test.step('done', async () => {
    await password.fill(ACTIVATION_PASSWORD);
    await app.press('phone-send');
    await app.expectTitle('phone-done-title');
    await app.look('08-done');
    await app.press('phone-next', 'link');
    await expect(app.page.locator('.digits')).toHaveText(/^\d{3} \d{3}$/);
    await app.go('add', 'phone-add-title');
    await app.look('09-add');
  });
});

test('no screen of a set-up that is refused breaks a rule of accessibility', async ({ page, demo, labels, app }) => {
  const { filled } = await issued({ page, labels, demo });
  const password = app.page.getByLabel(app.words['activation-password'], { exact: true });
  await app.open(filled);
  await password.fill('507194');
  await app.press('phone-send');
  await app.expectTitle('phone-refused-title');
  await expect(app.page.getByText(app.words['phone-refused-ended'])).toBeVisible();
  await app.look('10-refused');

  await app.page.route('**/activation/v1/start', (route) =>
    route.fulfill({ status: 429, contentType: 'application/problem+json', headers: { 'Retry-After': '90' }, body: '{"code":"too_many_requests"}' }),
  );
  await app.press('phone-enter-again');
  await password.fill(ACTIVATION_PASSWORD);
  await app.press('phone-send');
  await expect(app.page.getByText(app.words['phone-refused-kept'])).toBeVisible();
  await app.look('11-refused-kept');

  await test.step('a set-up of which only the end is missing', async () => {
    await app.page.unroute('**/activation/v1/start');
    await app.page.route('**/activation/v1/finish', (route) => route.abort());
    await app.press('phone-to-codes', 'link');
    await app.press('phone-go-on', 'link');
    await password.fill(ACTIVATION_PASSWORD);
    await app.press('phone-send');
    await app.press('phone-later');
    await expect(app.page.getByRole('button', { name: app.words['phone-go-on'], exact: true })).toBeVisible();
    await app.look('12-pending');
    await app.page.locator('.token-head a').click();
    await expect(app.page.getByText(app.words['phone-state-pending'])).toBeVisible();
    await app.look('13-pending-token');
  });
});

test('no state of the scanner breaks a rule of accessibility', async ({ app }) => {
  await app.go('scan', 'phone-scan');
  await expect(app.page.getByText(app.words['phone-scan-no-camera'])).toBeVisible();
  await app.look('14-scan-no-camera');

  await test.step('a picture without a code', async () => {
    const png = await app.page.screenshot();
    await app.page.getByLabel(app.words['phone-scan-picture']).setInputFiles({ name: 'picture.png', mimeType: 'image/png', buffer: png });
    await expect(app.page.getByText(app.words['phone-scan-nothing'])).toBeVisible();
  });
  await test.step('a camera that sees a desk', async () => {
    await app.page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = async () => {
        const canvas = document.createElement('canvas');
        Object.assign(canvas, { width: 640, height: 480 });
        const ink = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
        ink.fillStyle = '#8a7a66';
        ink.fillRect(0, 0, 640, 480);
        return canvas.captureStream(5);
      };
    });
    await app.open('scan');
    await expect(app.page.getByText(app.words['phone-scan-looking'])).toBeVisible();
    await app.look('15-scan');
  });
  await test.step('a camera that is not allowed', async () => {
    await app.page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'));
    });
    await app.open('scan');
    await expect(app.page.getByText(app.words['phone-scan-denied'])).toBeVisible();
    await app.look('16-scan-denied');
  });
});

test('no state of the codes breaks a rule of accessibility', async ({ app }) => {
  const now = Date.now();
  const one = token();
  await app.plant([one]);
  await expect(app.page.locator('.digits')).toHaveText(/^\d{3} \d{3}$/);
  await expect(app.card(one.id)).toContainText(app.language === 'ja' ? 'みなと銀行' : 'Minato Bank');
  await app.look('20-codes');

  await test.step('without motion, and in the colours of the person', async () => {
    await app.page.emulateMedia({ reducedMotion: 'reduce' });
    await expect(app.page.locator('.ring-left')).toHaveCSS('transition-duration', '0s');
    await app.page.emulateMedia({ reducedMotion: null });
    await expect(app.page.locator('.ring-left')).toHaveCSS('transition-duration', '1s');
    await app.page.emulateMedia({ forcedColors: 'active' });
    const [arc, all] = await app.page.locator('.ring circle').evaluateAll((circles) => circles.map((circle) => getComputedStyle(circle).stroke));
    expect(arc, 'what is left stands out from the whole').not.toBe(all);
    await app.look('21-codes-forced-colours');
    await app.page.emulateMedia({ forcedColors: null });
  });
  await test.step('hidden, and shown when pressed', async () => {
    await app.press('phone-hide-codes');
    await expect(app.page.locator('.digits')).toHaveText('••• •••');
    await app.look('22-codes-hidden');
    await app.page.locator('button.code').click();
    await expect(app.page.locator('.digits')).toHaveText(/^\d{3} \d{3}$/);
    await app.press('phone-show-codes');
  });
  await test.step('copied', async () => {
    await app.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await app.page.locator('button.code').click();
    await expect(app.page.locator('.toast')).toHaveText(app.words['phone-copied']);
  });
  await test.step('near the end of its life', async () => {
    one.says = { expires_at_ms: now + 20 * DAY_MS, renewable_from_ms: now - DAY_MS };
    await app.open();
    await expect(app.page.getByRole('link', { name: app.words['phone-renew'] })).toBeVisible();
    await app.look('23-codes-renewal');
    await app.page.getByRole('link', { name: app.words['phone-renew'] }).click();
    await expect(app.page.getByRole('button', { name: app.words['phone-renew'] })).toBeEnabled();
    await app.look('24-token-renewal');
    one.says = { expires_at_ms: now + 700 * DAY_MS, renewable_from_ms: now + 640 * DAY_MS };
    await app.press('phone-renew');
    await expect(app.page.getByRole('button', { name: app.words['phone-renew'] })).toBeDisabled();
    await app.look('25-token-renewed');
  });
  for (const standing of /** @type {const} */ (['suspended', 'revoked', 'expired'])) {
    await test.step(standing, async () => {
      one.says = { standing };
      await app.open();
      await expect(app.page.getByText(app.words[`phone-${standing}`])).toBeVisible();
      await app.look(`26-codes-${standing}`);
      await app.page.locator('.token-head a').click();
      await expect(app.page.locator('.facts')).toContainText(app.words[`phone-standing-${standing}`]);
      await app.look(`27-token-${standing}`);
    });
  }
});

test('no state of the clock breaks a rule of accessibility', async ({ app }) => {
  const one = token();
  await app.plant([one], { reached: false });
  await expect(app.page.getByText(app.words['phone-clock-unchecked'])).toBeVisible();
  await app.look('30-clock-unchecked');

  one.says = { ahead_ms: -90_000 };
  await app.serve([one]);
  await app.open();
  await expect(app.page.getByRole('link', { name: app.words['phone-clock-help'] })).toBeVisible();
  await expect(app.page.locator('.digits')).toBeVisible();
  await app.look('31-clock-fast');
  await app.unreachable();
  await app.open();
  await expect(app.page.getByText(app.words['phone-clock-unsure'])).toBeVisible();
  await app.look('32-clock-unsure');
  await app.page.locator('.token-head a').click();
  await app.look('33-clock-token');

  await test.step('a clock that went backwards', async () => {
    await app.plant([token('VPN')], { clock: { offsetMs: 0, serverTimeMs: Date.now() + DAY_MS }, reached: false });
    await expect(app.page.getByText(app.words['phone-clock-backwards'])).toBeVisible();
    await app.look('34-clock-backwards');
  });
});

test('no list of tokens breaks a rule of accessibility', async ({ app }) => {
  const ja = app.language === 'ja';
  const tokens = [
    token(),
    token(ja ? '経理の給与振込' : 'Payroll'),
    token(ja ? 'とても長い名前を付けたトークンの見え方を確かめるための名前その一' : 'A name as long as a name of a token may be'.slice(0, 40), { standing: 'suspended' }),
  ];
  await app.plant(tokens);
  await expect(app.page.locator('.digits:visible')).toHaveCount(2);
  await app.look('40-several');

  await test.step('details, and the question before it is removed', async () => {
    await app.card(tokens[1].id).locator('.token-head a').click();
    await expect(app.page.getByLabel(app.words['phone-name'], { exact: true })).toHaveValue(tokens[1].name ?? '');
    await app.look('41-token');
    await app.page.getByLabel(app.words['phone-name'], { exact: true }).fill('a\u202eb');
    await app.press('phone-save');
    await expect(app.page.getByText(app.words['phone-name-form'])).toBeVisible();
    await app.look('42-token-name-refused');
    await app.press('phone-remove');
    await expect(app.page.getByRole('dialog')).toBeVisible();
    await app.look('43-remove');
    await app.press('phone-cancel');
  });
  await test.step('ten, with a search', async () => {
    const more = Array.from({ length: 7 }, (_, at) => token(ja ? `取引先 ${at + 1}` : `Partner ${at + 1}`));
    await app.go('', 'one-time-password');
    // The ones that are there keep their places.
    await app.plant([...tokens, ...more]);
    const search = app.page.getByLabel(app.words['phone-search'], { exact: true });
    await expect(search).toBeVisible();
    await app.look('44-ten');
    await search.fill('５');
    await expect(app.page.locator('.token:visible')).toHaveCount(1);
    await search.fill('zzz');
    await expect(app.page.getByRole('main').getByText(app.words['phone-search-nothing'])).toBeVisible();
    await app.look('45-search-nothing');
    await app.go('add', 'phone-add-title');
    await app.look('46-full');
  });
});

test('no screen of the settings breaks a rule of accessibility', async ({ app }) => {
  await test.step('there before the first token, for a lock that protects it too', async () => {
    await app.press('phone-settings', 'link');
    await app.expectTitle('phone-settings');
    await app.press('phone-back', 'link');
    await app.expectTitle('phone-first-title');
  });
  await app.plant([token()]);
  await app.go('settings', 'phone-settings');
  await app.look('50-settings');
  await app.go('help', 'phone-help-title');
  await app.look('51-help');
  await app.go('settings/lock', 'phone-lock-title');
  await app.look('52-lock-settings');

  const first = app.page.getByLabel(app.words['phone-pin-new'], { exact: true });
  const again = app.page.getByLabel(app.words['phone-pin-again'], { exact: true });
  await first.fill('123');
  await again.fill(PIN);
  await app.press('phone-pin-set');
  await expect(app.page.getByText(app.words['phone-pin-length'])).toBeVisible();
  await app.look('53-lock-settings-refused');
  await first.fill(PIN);
  await again.fill(PIN);
  await app.press('phone-pin-set');
  await expect(app.page.getByText(app.words['phone-lock-is-pin'])).toBeVisible();
  await app.look('54-lock-settings-pin');
});

test('no state of the lock breaks a rule of accessibility', async ({ app }) => {
  await app.plant([token()]);
  await app.go('settings/lock', 'phone-lock-title');
  await app.page.getByLabel(app.words['phone-pin-new'], { exact: true }).fill(PIN);
  await app.page.getByLabel(app.words['phone-pin-again'], { exact: true }).fill(PIN);
  await app.press('phone-pin-set');
  await expect(app.page.getByText(app.words['phone-lock-is-pin'])).toBeVisible();
  const pin = app.page.getByLabel(app.words['phone-pin'], { exact: true });

  await app.open();
  await app.expectTitle('phone-locked-title');
  await app.look('60-locked');
  await pin.fill(WRONG_PIN);
  await app.press('phone-unlock');
  await expect(app.page.getByText(app.words['phone-pin-wrong'])).toBeVisible();
  await app.look('61-pin-wrong');

  await app.changeLock({ tries: 7, lastTryAtMs: 0 });
  await pin.fill(WRONG_PIN);
  await app.press('phone-unlock');
  await expect(app.page.getByRole('button', { disabled: true })).toBeVisible();
  await expect(app.page.getByRole('alert')).toContainText('2');
  await app.look('62-pin-wait');
  await app.press('phone-lock-forgotten');
  await expect(app.page.getByRole('dialog')).toBeVisible();
  await app.look('63-forgotten');
  await app.press('phone-cancel');

  await app.changeLock({ tries: 9, lastTryAtMs: 0 });
  await app.open();
  await pin.fill(WRONG_PIN);
  await app.press('phone-unlock');
  await app.expectTitle('phone-erased-title');
  await app.look('64-erased');
  await app.press('phone-start-over');
  await app.expectTitle('phone-first-title');

  await test.step('a lock of the device', async () => {
    await app.plant([token()]);
    await app.changeLock({ kind: 'device', keyId: 'another', salt: new Uint8Array(1), credentialId: new Uint8Array(1), prfSalt: new Uint8Array(1) });
    await app.open();
    await app.expectTitle('phone-locked-title');
    await app.look('65-locked-device');
  });
});

test('no screen of a trouble breaks a rule of accessibility', async ({ app }) => {
  await test.step('tokens that the browser removed', async () => {
    await app.plant([token()]);
    await app.page.goto(new URL('/sign-in', app.url).href);
    await app.page.evaluate(() => new Promise((resolve) => (indexedDB.deleteDatabase('warifu').onsuccess = resolve)));
    await app.open();
    await expect(app.page.getByText(app.words['phone-evicted'])).toBeVisible();
    await app.look('70-evicted');
  });
  await test.step('a part of the app that does not come', async () => {
    await app.page.route('**/app/js/core/tokens.js', (route) => route.abort());
    await app.open();
    await expect(app.page.getByText(app.words['phone-not-loaded'])).toBeVisible();
    await app.look('71-not-loaded');
    await app.page.unroute('**/app/js/core/tokens.js');
  });
  await test.step('a browser that keeps nothing', async () => {
    await app.page.goto(new URL('/sign-in', app.url).href);
    // A database of another version cannot be opened.
    await app.page.evaluate(() => new Promise((resolve) => (indexedDB.open('warifu', 9).onsuccess = resolve)));
    await app.open();
    await expect(app.page.getByText(app.words['phone-storage'])).toBeVisible();
    await app.look('72-storage');
  });
});

test.describe('with what is kept of the app', () => {
  test.use({ contextOptions: { serviceWorkers: 'allow' } });

  test('the offer of a new version breaks no rule of accessibility', async ({ demo, labels, otherPerson }) => {
    const gate = await Gate.to(demo.port);
    const app = new AppPage(await otherPerson(), gate.url, labels.language);
    await app.open();
    await app.plant([token()], { reached: false });
    await app.page.evaluate(() => navigator.serviceWorker.ready);
    gate.rewrite('/app/version.js', (list) => list.toString().replace(/version: '[0-9a-f]+'/, "version: 'ffffffffffffffff'"));
    await app.page.evaluate(async () => void (await (await navigator.serviceWorker.ready).update()));
    await expect(app.page.getByRole('button', { name: app.words['phone-update-take'], exact: true })).toBeVisible();
    await app.look('80-update');
    await gate.stop();
  });
});
