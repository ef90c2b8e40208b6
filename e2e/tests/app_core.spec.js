// The half of the phone app that has no screen (J3, J7, R48 to R62), in a real browser against a running service.
import { randomBytes } from 'node:crypto';
import { AppCore, codeAt } from '../support/app_core.js';
import { ACTIVATION_PASSWORD, askForToken, enterCode, expectTitle, signIn } from '../support/journey.js';
import { expect, test } from '../support/test.js';

const PIN = '604817';
const WRONG_PIN = '715926';

/** The user's page asks for a token; what the mail brings. */
async function issued(/** @type {any} */ { page, labels, demo }, user = demo.user('general')) {
  const mail = `${user.login_id}@example.co.jp`;
  await signIn(page, labels, demo.url, user);
  await askForToken(page, labels, { mail, activationPassword: ACTIVATION_PASSWORD });
  await expectTitle(page, labels.waiting.title);
  const { serviceId, userId } = await demo.mails.ids(mail);
  return { serviceId, tokenUserId: userId, password: ACTIVATION_PASSWORD };
}

/** Known secrets of `count` tokens. */
function secrets(count = 1) {
  return Array.from({ length: count }, (_, at) => ({ id: `token-${at}`, seed: randomBytes(32), deviceKey: randomBytes(32) }));
}

/** Expects the right code of now. @param {AppCore} app @param {{ id: string, seed: Buffer }} token */
async function givesRightCode(app, { id, seed }) {
  const { code, serverNowMs } = await app.call('code', id);
  expect(code).toBe(codeAt(seed, serverNowMs));
  expect(Math.abs(serverNowMs - Date.now())).toBeLessThan(5_000);
}

test('a token is activated, and its code is accepted', async ({ page, demo, labels, otherPerson }) => {
  const typed = await issued({ page, labels, demo });
  const app = await new AppCore(await otherPerson()).start(demo.url);
  expect(await app.call('open')).toMatchObject({ lock: 'none', locked: false, tokens: [], count: 0, evicted: false, erased: false });

  const wide = (/** @type {string} */ text) => text.replace(/[0-9a-z]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0));
  const begun = await app.call('begin', {
    serviceId: ` ${wide(typed.serviceId)}　`,
    tokenUserId: wide(typed.tokenUserId),
    password: wide(typed.password),
  });
  expect(begun).toEqual({ done: expect.any(String) });
  expect(await app.gathered('stages')).toEqual(['preparing', 'contacting', 'checking', 'finishing']);
  expect(await app.gathered('events')).toContain('changed');
  const [token] = await app.call('tokens');
  const tokenUserId = typed.tokenUserId.replaceAll('-', '');
  expect(token).toMatchObject({ id: begun.done, serviceId: typed.serviceId, tokenUserId, state: 'active', digits: 6, stepS: 60 });

  await expectTitle(page, labels.waiting.activated);
  await page.getByRole('main').getByRole('link', { name: labels.waiting.toVerification }).click();
  const { code, next, secondsLeft } = await app.call('code', begun.done);
  expect(next).toMatch(/^[0-9]{6}$/);
  expect(secondsLeft).toBeGreaterThan(0);
  await enterCode(page, labels, code);
  await expectTitle(page, labels.top.title);

  await test.step('the same ids again are the same token', async () => {
    expect(await app.call('begin', typed)).toEqual(begun);
  });
  await test.step('nothing that is kept can be read, and nothing of the activation is left', async () => {
    const { lock, tokens } = await app.kept();
    expect(lock.key.extractable).toBe(false);
    expect(Object.keys(tokens[0].sealed).sort()).toEqual(['device', 'seed']);
  });
});

test('a typing mistake is told before anything is sent, and a wrong password keeps nothing', async ({ page, demo, labels, otherPerson }) => {
  const typed = await issued({ page, labels, demo });
  const app = await new AppCore(await otherPerson()).start(demo.url);
  const digits = typed.tokenUserId.replaceAll('-', '');
  const mistyped = `${digits.slice(0, -1)}${(Number(digits.at(-1)) + 1) % 10}`;

  expect(await app.call('checkIds', { ...typed, tokenUserId: mistyped })).toEqual({
    serviceId: { value: typed.serviceId, refusal: null },
    tokenUserId: { value: mistyped, refusal: 'id_check_digit' },
  });
  expect(await app.call('begin', { ...typed, tokenUserId: mistyped })).toEqual({ refused: 'id_check_digit', ended: true });
  expect(await app.call('begin', { ...typed, password: '12a4' })).toEqual({ refused: 'activation_password_not_digits', ended: true });
  expect(await app.call('begin', { ...typed, password: '123' })).toEqual({ refused: 'activation_password_length', ended: true });
  expect(app.asked).toEqual([]);

  expect(await app.call('begin', { ...typed, password: '507194' })).toEqual({ refused: 'activation_refused', ended: true });
  expect(await app.call('tokens')).toEqual([]);
  expect(await app.call('begin', typed)).toEqual({ done: expect.any(String) });
});

test('r55 an activation that loses its messages goes on, also in a new start of the app', async ({ page, demo, labels, otherPerson }) => {
  const typed = await issued({ page, labels, demo });
  const phone = await otherPerson();
  const app = await new AppCore(phone).start(demo.url);
  /** What the network does with the next answers. @param {string} path @param {'lost' | 'proxy' | 'fails'} how */
  const disturb = (path, how) =>
    phone.route(`**${path}`, async (route) => {
      const reply = await route.fetch();
      if (how === 'lost') return route.abort();
      if (how === 'proxy') return route.fulfill({ status: 200, contentType: 'text/html', body: '<h1>Please sign in</h1>' });
      return route.fulfill({ response: reply, status: 503 });
    });

  await disturb('/activation/v1/start', 'lost');
  const lost = await app.call('begin', typed);
  expect(lost).toEqual({ state: 'unreachable', id: expect.any(String) });
  const { id } = lost;
  expect(await app.call('tokens')).toMatchObject([{ id, state: 'started', digits: null }]);
  expect(await app.call('code', id)).toEqual({ refused: 'not_active' });

  await app.start(demo.url);
  expect(await app.call('resume', id, {})).toEqual({ state: 'password_needed', id });
  await phone.unroute('**/activation/v1/start');
  for (const how of /** @type {const} */ (['lost', 'proxy', 'fails'])) {
    await disturb('/activation/v1/finish', how);
    expect(await app.call('resume', id, { password: typed.password }), how).toEqual({ state: 'unreachable', id });
    expect(await app.call('tokens')).toMatchObject([{ id, state: 'pending' }]);
    await phone.unroute('**/activation/v1/finish');
  }

  await app.start(demo.url);
  expect(await app.call('resume', id, {})).toEqual({ done: id });
  expect(await app.gathered('stages')).toEqual(['preparing', 'finishing']);
  await expectTitle(page, labels.waiting.activated);
  await page.getByRole('main').getByRole('link', { name: labels.waiting.toVerification }).click();
  await enterCode(page, labels, (await app.call('code', id)).code);
  await expectTitle(page, labels.top.title);
});

test('r55 what follows from a message is kept before it goes out', async ({ page, demo, labels, otherPerson }) => {
  const typed = await issued({ page, labels, demo });
  const phone = await otherPerson();
  const app = await new AppCore(phone).start(demo.url);
  /** @type {unknown[]} */
  const kept = [];
  await phone.route('**/activation/v1/*', async (route) => {
    const { tokens } = await app.kept();
    kept.push(tokens.map(({ state, sealed }) => [state, ...Object.keys(sealed)]));
    await route.continue();
  });
  expect(await app.call('begin', typed)).toEqual({ done: expect.any(String) });
  expect(kept).toEqual([[['started', 'started']], [['pending', 'pending']]]);
});

test('another password than the first time begins anew', async ({ page, demo, labels, otherPerson }) => {
  const typed = await issued({ page, labels, demo });
  const phone = await otherPerson();
  const app = await new AppCore(phone).start(demo.url);
  await phone.route('**/activation/v1/start', (route) => route.abort());
  const { id } = await app.call('begin', { ...typed, password: '507194' });
  await phone.unroute('**/activation/v1/start');
  const done = await app.call('begin', typed);
  expect(done).toEqual({ done: expect.any(String) });
  expect(done.done).not.toBe(id);
  expect(await app.call('tokens')).toHaveLength(1);
});

test('r60 the eleventh token is refused before any network call', async ({ demo, page }) => {
  const app = await new AppCore(page).start(demo.url);
  await app.call('open');
  await app.plant(secrets(10));
  const typed = { serviceId: 'demo', tokenUserId: '00000000000000', password: ACTIVATION_PASSWORD };
  // The tenth planted one has other ids than these.
  expect(await app.call('begin', { ...typed, serviceId: 'another' })).toEqual({ refused: 'app_full', ended: true });
  expect(app.asked).toEqual([]);
  expect(await app.call('open')).toMatchObject({ count: 10 });

  await test.step('tokens are renamed, moved and removed', async () => {
    expect(await app.call('rename', 'token-3', ' 経理 ')).toEqual({ ok: true });
    expect(await app.call('rename', 'token-3', 'a\u202eb')).toEqual({ refused: 'name_format' });
    await app.call('move', 'token-3', 0);
    await app.call('remove', 'token-1');
    const ids = (await app.call('tokens')).map((/** @type {{ id: string }} */ { id }) => id);
    expect(ids).toEqual(['token-3', 'token-0', 'token-2', 'token-4', 'token-5', 'token-6', 'token-7', 'token-8', 'token-9']);
    expect((await app.call('tokens'))[0].name).toBe('経理');
    expect(await app.call('remove', 'token-1')).toBeUndefined();
    expect(await app.call('code', 'token-1')).toEqual({ error: 'not_found' });
  });
});

test('a PIN locks the app; the tokens are sealed anew and open again', async ({ demo, page }) => {
  const app = await new AppCore(page).start(demo.url);
  await app.call('open');
  const [known] = secrets();
  await app.plant([known]);
  const before = await app.kept();

  for (const [pin, refused] of [['604', 'pin_length'], ['60a8', 'pin_not_digits'], ['1234', 'pin_trivial']]) {
    expect(await app.call('setLock', { kind: 'pin', pin })).toEqual({ refused });
  }
  expect(await app.kept()).toEqual(before);

  expect(await app.call('setLock', { kind: 'pin', pin: PIN })).toEqual({ ok: true });
  const after = await app.kept();
  expect(after.lock).toMatchObject({ kind: 'pin', tries: 0, pepper: { extractable: false } });
  expect(after.lock.key).toBeUndefined();
  expect(after.lock.keyId).not.toBe(before.lock.keyId);
  expect(after.tokens[0].sealed.seed.data).not.toBe(before.tokens[0].sealed.seed.data);
  await test.step('still open', () => givesRightCode(app, known));

  await app.call('lock');
  expect(await app.gathered('events')).toContain('locked');
  expect(await app.call('open')).toMatchObject({ lock: 'pin', locked: true, tokens: [], count: 1 });
  for (const [op, ...input] of /** @type {[any, ...any][]} */ ([
    ['tokens'],
    ['code', known.id],
    ['refresh'],
    ['remove', known.id],
    ['begin', { serviceId: 'demo', tokenUserId: '00000000000000', password: ACTIVATION_PASSWORD }],
  ])) {
    expect(await app.call(op, ...input), op).toEqual({ error: 'locked' });
  }
  expect(await app.call('setLock', { kind: 'none' })).toEqual({ refused: 'locked' });

  await app.start(demo.url);
  expect(await app.call('open')).toMatchObject({ lock: 'pin', locked: true, count: 1 });
  expect(await app.call('unlock', { pin: WRONG_PIN })).toEqual({ ok: false, triesLeft: 9, waitMs: 0 });
  expect(await app.call('unlock', { pin: '60481' + '７' })).toEqual({ ok: true });
  await givesRightCode(app, known);
  expect((await app.kept()).lock.tries, 'a right one ends the row').toBe(0);

  expect(await app.call('setLock', { kind: 'none' })).toEqual({ ok: true });
  await app.start(demo.url);
  expect(await app.call('open')).toMatchObject({ lock: 'none', locked: false });
  await givesRightCode(app, known);
});

test('ten wrong PINs in a row erase the tokens, and each from the fourth on makes the next one wait', async ({ demo, page }) => {
  const app = await new AppCore(page).start(demo.url);
  await app.call('open');
  await app.plant(secrets());
  await app.call('setLock', { kind: 'pin', pin: PIN });
  await app.call('lock');
  const waits_s = [0, 0, 0, 30, 60, 120, 300, 600, 1800];
  for (const [at, wait_s] of waits_s.entries()) {
    const refused = { ok: false, triesLeft: 9 - at, waitMs: wait_s * 1000 };
    expect(await app.call('unlock', { pin: WRONG_PIN })).toEqual(refused);
    if (wait_s === 0) continue;
    // Not judged and not counted, even the right one, and not after a new start either.
    if (at === 3) await app.start(demo.url);
    const early = await app.call('unlock', { pin: PIN });
    expect(early).toMatchObject({ ok: false, triesLeft: 9 - at });
    expect(early.waitMs).toBeGreaterThan(0);
    expect((await app.call('open')).waitMs).toBeGreaterThan(0);
    await app.passWait();
  }
  expect(await app.call('unlock', { pin: '123' }), 'what is no PIN is not counted').toMatchObject({ ok: false, triesLeft: 1 });
  expect(await app.call('unlock', { pin: WRONG_PIN })).toEqual({ erased: true });
  expect(await app.call('unlock', { pin: PIN })).toEqual({ erased: true });
  expect((await app.kept()).lock.wrapped).toBeUndefined();
  expect(await app.call('open')).toMatchObject({ lock: 'pin', locked: true, erased: true, tokens: [] });

  await app.call('startOver');
  expect(await app.call('open')).toMatchObject({ lock: 'none', locked: false, erased: false, evicted: false, count: 0 });
});

test('a passkey of the device opens the app', async ({ demo, page }) => {
  const app = await new AppCore(page).start(demo.url);
  await app.call('open');
  const [known] = secrets();
  await app.plant([known]);
  expect(await app.byDevice('setLock', 1)).toEqual({ ok: true });
  await app.start(demo.url);
  const { lock, locked, credentialId, salt } = await app.call('open');
  expect([lock, locked, Object.values(credentialId)[0], Object.values(salt)[0]]).toEqual(['device', true, 7, 8]);
  expect(await app.byDevice('unlock', 2)).toMatchObject({ ok: false });
  expect(await app.call('unlock', { pin: PIN })).toMatchObject({ ok: false });
  expect(await app.byDevice('unlock', 1)).toEqual({ ok: true });
  await givesRightCode(app, known);
});

test('two tabs are one app', async ({ page, demo, labels, otherPerson }) => {
  const typed = await issued({ page, labels, demo });
  const phone = await otherPerson();
  const one = await new AppCore(phone).start(demo.url);
  const other = await new AppCore(await phone.context().newPage()).start(demo.url);

  const [first, second] = await Promise.all([one.call('begin', typed), other.call('begin', typed)]);
  expect(first).toEqual({ done: expect.any(String) });
  expect(second).toEqual(first);
  const starts = [...one.asked, ...other.asked].filter((path) => path === '/activation/v1/start');
  expect(starts).toHaveLength(1);

  await one.call('rename', first.done, 'みなと銀行');
  await expect.poll(() => other.gathered('events')).toContain('changed');
  expect((await other.call('tokens'))[0].name).toBe('みなと銀行');

  expect(await one.call('setLock', { kind: 'pin', pin: PIN })).toEqual({ ok: true });
  expect(await other.call('open')).toMatchObject({ locked: true, count: 1 });
  expect(await other.call('unlock', { pin: PIN })).toEqual({ ok: true });
  expect((await other.call('code', first.done)).code).toMatch(/^[0-9]{6}$/);
  await one.call('lock');
  // The first time by the new lock.
  await expect.poll(async () => (await other.gathered('events')).filter((event) => event === 'locked')).toHaveLength(2);
  expect(await other.call('tokens')).toEqual({ error: 'locked' });
});

test('j7 only what the server signed counts: standing, names and time', async ({ demo, page }) => {
  const app = await new AppCore(page).start(demo.url);
  await app.call('open');
  const [known] = secrets();
  await app.plant([known]);
  const { id, seed } = known;
  /** @type {ReturnType<Parameters<AppCore['serve']>[1]>} */
  let say = {};
  await app.serve(known.deviceKey, () => say);
  const shown = async () => (await app.call('tokens'))[0];
  const untouched = await shown();
  expect(untouched).toMatchObject({ standing: null, clock: { state: 'unchecked', offsetMs: 0 } });

  say = { standing: 'revoked', ahead_ms: 90_000, forged: true };
  expect(await app.call('refresh')).toEqual({ reached: false });
  expect(await shown()).toEqual(untouched);

  say = { standing: 'in_use' };
  expect(await app.call('refresh')).toEqual({ reached: true });
  expect(await shown()).toMatchObject({
    standing: 'in_use',
    sinceMs: 1,
    serviceName: { ja: 'みなと銀行', en: 'Minato Bank' },
    userName: '佐藤 花子',
    helpDesk: '0120-000-000',
    clock: { state: 'right' },
  });
  expect(await app.gathered('events')).toEqual(['changed']);

  await test.step('a clock that is off is corrected by what was measured', async () => {
    say = { ahead_ms: 90_000 };
    await app.call('refresh', id);
    expect((await shown()).clock.state).toBe('warn');
    const { code, next, serverNowMs } = await app.call('code', id);
    expect(Math.abs(serverNowMs - Date.now() - 90_000)).toBeLessThan(5_000);
    expect([code, next]).toEqual([codeAt(seed, serverNowMs), codeAt(seed, serverNowMs + 60_000)]);
  });
  await test.step('and not believed after a new start without a network', async () => {
    await page.unrouteAll();
    await page.route('**/device/v1/*', (route) => route.abort());
    await app.start(demo.url);
    expect(await app.call('refresh')).toEqual({ reached: false });
    expect(await app.call('code', id)).toEqual({ refused: 'clock_unsure' });
    expect((await shown()).clock).toMatchObject({ state: 'refused', reason: 'clock_unsure' });
    await page.unrouteAll();
    await app.serve(known.deviceKey, () => say);
  });
  await test.step('a token that ended gives no codes', async () => {
    for (const standing of ['suspended', 'expired', 'revoked']) {
      say = { standing };
      await app.call('refresh');
      expect(await app.call('code', id)).toEqual({ refused: standing });
    }
    say = { standing: 'in_use' };
    await app.call('refresh');
    const { code, serverNowMs } = await app.call('code', id);
    expect(code).toBe(codeAt(seed, serverNowMs));
  });
  await test.step('a refusal is not signed, and changes nothing', async () => {
    const before = await shown();
    await page.unrouteAll();
    await page.route('**/device/v1/*', (route) =>
      route.fulfill({ status: 409, contentType: 'application/problem+json', body: '{"code":"renewal_not_open"}' }),
    );
    expect(await app.call('refresh')).toEqual({ reached: false });
    expect(await app.call('renew', id)).toEqual({ refused: 'renewal_not_open' });
    expect(await shown()).toEqual(before);
    await page.unrouteAll();
    await page.route('**/device/v1/*', (route) => route.fulfill({ status: 502 }));
    expect(await app.call('renew', id)).toEqual({ state: 'unreachable' });
    await page.unrouteAll();
  });
  await test.step('a token is renewed', async () => {
    const expires_at_ms = Date.now() + 1_000_000_000;
    say = { expires_at_ms };
    await app.serve(known.deviceKey, () => say);
    expect(await app.call('renew', id)).toEqual({ ok: true });
    expect(await shown()).toMatchObject({ expiresAtMs: expires_at_ms });
  });
});

test('tokens that the browser lost are told, and settings are kept', async ({ demo, page }) => {
  const app = await new AppCore(page).start(demo.url);
  await app.call('open');
  expect(await app.call('setSettings', { language: 'ja', hidden: true, lockAfterS: 60, unknown: 1 })).toEqual({
    language: 'ja',
    hidden: true,
    lockAfterS: 60,
  });
  await app.plant(secrets());
  await app.start(demo.url);
  expect(await app.call('open')).toMatchObject({ evicted: false, count: 1, settings: { hidden: true } });

  await page.goto(new URL('/sign-in', demo.url).href);
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        indexedDB.deleteDatabase('warifu').onsuccess = resolve;
      }),
  );
  await app.start(demo.url);
  expect(await app.call('open')).toMatchObject({ evicted: true, count: 0, settings: {} });
  await app.call('startOver');
  expect(await app.call('open')).toMatchObject({ evicted: false });
});

test('what did not come is fetched again by the next call', async ({ demo, page }) => {
  const app = await new AppCore(page).start(demo.url);
  const ids = { serviceId: 'demo', tokenUserId: '0000-0000-0000-00' };
  for (const part of ['/app/js/core/tokens.js', '/assets/wasm/client.wasm']) {
    await page.route(`**${part}`, (route) => route.abort());
    expect(await app.call('checkIds', ids), part).toEqual({ error: 'not_loaded' });
    await page.unroute(`**${part}`);
  }
  expect(await app.call('checkIds', ids)).toMatchObject({ tokenUserId: { value: '00000000000000', refusal: null } });
});
