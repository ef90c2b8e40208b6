// The pure parts of the phone app's core: the clock, the tries of a PIN, the steps of a code, the proofs of device messages, sealing,
// names. What needs a browser (the database, the locks, the worker) is tested in one: `e2e/tests/app_core.spec.js`.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const root = new URL('../../../', import.meta.url);
const part = (/** @type {string} */ name) => import(new URL(`authenticator/www/js/core/${name}.js`, root).href);
const clock = await part('clock');
const codes = await part('codes');
const device = await part('device');
const keys = await part('keys');
const { nameOf } = await part('names');
const pin = await part('pin');

const SECOND = 1000;
const T = 1_795_143_600_000;

const bytes = (/** @type {string} */ hex) => new Uint8Array(Buffer.from(hex, 'hex'));
const text = (/** @type {string} */ text) => new TextEncoder().encode(text);

/** A measure by a device that is off by `offMs` from a server whose time is `serverTimeMs`. */
const measured = (/** @type {number} */ serverTimeMs, /** @type {number} */ offMs, tripMs = 100) => {
  const sentAtMs = serverTimeMs - tripMs / 2 + offMs;
  return clock.measure({ sentAtMs, receivedAtMs: sentAtMs + tripMs, tripMs, serverTimeMs });
};

/** A device whose two clocks are set as the test likes. */
function deviceAt(startMs = T) {
  const clocks = { nowMs: startMs, steadyMs: 5_000 };
  const pass = (/** @type {number} */ ms) => {
    clocks.nowMs += ms;
    clocks.steadyMs += ms;
  };
  const watch = new clock.ClockWatch(
    () => clocks.nowMs,
    () => clocks.steadyMs,
  );
  return { clocks, pass, watch };
}

test('j7 the server read its clock halfway between question and answer', () => {
  assert.equal(measured(T, 0).offsetMs, 0);
  assert.equal(measured(T, 90 * SECOND).offsetMs, -90 * SECOND);
  assert.equal(measured(T, -90 * SECOND, 3000).offsetMs, 90 * SECOND);
  const setOnTheWay = { sentAtMs: T, receivedAtMs: T + 3600 * SECOND, tripMs: 80, serverTimeMs: T };
  assert.equal(clock.measure(setOnTheWay), null);
});

test('j7 the measure with the shortest trip counts, until a newer one contradicts it', () => {
  let known = clock.withMeasure(null, measured(T, 0, 400), T);
  known = clock.withMeasure(known, { ...measured(T + 1, 0, 60), offsetMs: 30 }, T + 1);
  known = clock.withMeasure(known, { ...measured(T + 2, 0, 900), offsetMs: 200 }, T + 2);
  assert.equal(known.best.tripMs, 60);
  assert.equal(known.serverTimeMs, T + 2);
  for (let at = 3; at < 12; at += 1) known = clock.withMeasure(known, measured(T + at, 0, 400), T + at);
  assert.equal(known.last.length, 5);

  known = clock.withMeasure(known, measured(T + 20, 3 * SECOND, 500), T + 20);
  assert.equal(known.last.length, 1);
  assert.equal(known.best.offsetMs, -3 * SECOND);
});

test('r61 a clock is right, corrected, warned of at 20 seconds, and corrected however far it is off when just measured', () => {
  for (const [offMs, state] of [
    [0, 'right'],
    [2 * SECOND, 'right'],
    [2 * SECOND + 1, 'corrected'],
    [-20 * SECOND, 'corrected'],
    [20 * SECOND + 1, 'warn'],
    [-3600 * SECOND, 'warn'],
  ]) {
    const { watch } = deviceAt(T + Number(offMs));
    const known = clock.withMeasure(null, measured(T, Number(offMs)), T);
    watch.measured('a', known);
    assert.deepEqual(watch.judge('a', known, 60), { state, offsetMs: 0 - Number(offMs) }, `${offMs}`);
  }
  const { watch } = deviceAt();
  assert.deepEqual(watch.judge('a', null, 60), { state: 'unchecked', offsetMs: 0 });
});

test('r61 after a new start an offset of more than a step is not believed until it is measured', () => {
  for (const [offMs, stepS, refused] of [
    [60 * SECOND, 60, false],
    [60 * SECOND + 1, 60, true],
    [-60 * SECOND - 1, 60, true],
    [31 * SECOND, 30, true],
  ]) {
    const known = clock.withMeasure(null, measured(T, Number(offMs)), T);
    const { watch } = deviceAt(T + 3600 * SECOND);
    const { state, reason } = watch.judge('a', known, stepS);
    assert.equal(state, refused ? 'refused' : 'warn', `${offMs}`);
    assert.equal(reason, refused ? 'clock_unsure' : undefined);
    watch.measured('a', known);
    assert.equal(watch.judge('a', known, stepS).state, 'warn');
  }
});

test('r61 a measure of another tab is a measure', () => {
  const { watch } = deviceAt(T + 3600 * SECOND);
  const old = clock.withMeasure(null, measured(T, 90 * SECOND), T);
  assert.equal(watch.judge('a', old, 60).reason, 'clock_unsure');
  const now = clock.withMeasure(old, measured(T + 3500 * SECOND, 90 * SECOND), T + 3500 * SECOND);
  assert.equal(watch.judge('a', now, 60).state, 'warn');
});

test('r61 no code before a time that has been', () => {
  const known = clock.withMeasure(null, measured(T, 0, 0), T);
  assert.equal(deviceAt(T - 2 * SECOND).watch.judge('a', known, 60).state, 'right');
  assert.deepEqual(deviceAt(T - 2 * SECOND - 1).watch.judge('a', known, 60), {
    state: 'refused',
    reason: 'clock_backwards',
    offsetMs: 0,
  });
});

test('r61 a clock that is put back while the app is open is noticed and corrected', () => {
  const { clocks, pass, watch } = deviceAt();
  const known = clock.withMeasure(null, measured(T, 0), T);
  watch.measured('a', known);
  pass(10 * SECOND);
  clocks.nowMs -= 25 * SECOND;
  assert.deepEqual(watch.judge('a', known, 60), { state: 'warn', offsetMs: 25 * SECOND });
  clocks.nowMs -= 3600 * SECOND;
  assert.equal(watch.judge('a', known, 60).reason, 'clock_unsure');
  const again = clock.withMeasure(known, measured(T + 10 * SECOND, -3625 * SECOND), T + 10 * SECOND);
  watch.measured('a', again);
  assert.deepEqual(watch.judge('a', again, 60), { state: 'warn', offsetMs: 3625 * SECOND });
});

test('r61 a phone that slept, or whose clock was put ahead, is as one whose app was opened anew', () => {
  const { clocks, watch } = deviceAt();
  const right = clock.withMeasure(null, measured(T, 0), T);
  const off = clock.withMeasure(null, measured(T, -90 * SECOND), T);
  watch.measured('right', right);
  watch.measured('off', off);
  assert.equal(watch.judge('off', off, 60).state, 'warn');
  clocks.nowMs += 8 * 3600 * SECOND;
  assert.deepEqual(watch.judge('right', right, 60), { state: 'right', offsetMs: 0 });
  assert.equal(watch.judge('off', off, 60).reason, 'clock_unsure');
});

test('ten wrong PINs, and from the fourth on a wait that grows', () => {
  const waits_s = Array.from({ length: 12 }, (_, tries) => pin.waitAfterMs(tries) / SECOND);
  assert.deepEqual(waits_s, [0, 0, 0, 0, 30, 60, 120, 300, 600, 1800, 1800, 1800]);
  assert.equal(pin.TRIES_MAX, 10);
  const tries = { tries: 4, lastTryAtMs: T };
  assert.equal(pin.waitLeftMs(tries, T), 30 * SECOND);
  assert.equal(pin.waitLeftMs(tries, T + 30 * SECOND - 1), 1);
  assert.equal(pin.waitLeftMs(tries, T + 30 * SECOND), 0);
  assert.equal(pin.waitLeftMs({ tries: 3, lastTryAtMs: T }, T), 0);
  // A clock that is put back neither lengthens the wait nor ends it.
  assert.equal(pin.waitLeftMs(tries, T - 3600 * SECOND), 30 * SECOND);
  assert.deepEqual(pin.afterPutBack(tries, T - 1), { tries: 4, lastTryAtMs: T - 1 });
  assert.equal(pin.afterPutBack(tries, T), null);
});

test('a PIN is 4 to 8 digits, as a phone types them', () => {
  for (const [typed, right] of [
    ['6048', true],
    ['６０４８１７２５', true],
    [' 60 48　17 ', true],
    ['604', false],
    ['604817253', false],
    ['60a8', false],
    ['٦٠٤٨', false],
  ]) {
    assert.equal(pin.isPin(pin.normalisedDigits(typed)), right, `${typed}`);
  }
});

test('a code has its step and its seconds, and a standing that ends it', async () => {
  assert.equal(codes.timeStep(59_999, 60), 0);
  assert.equal(codes.timeStep(60_000, 60), 1);
  assert.equal(codes.secondsLeft(59_999, 60), 1);
  assert.equal(codes.secondsLeft(60_000, 60), 60);
  assert.equal(codes.secondsLeft(T + 500, 30), 30);

  const seed = await crypto.subtle.importKey('raw', text('12345678901234567890'), { name: 'HMAC', hash: 'SHA-1' }, false, ['sign']);
  // RFC 4226, appendix D: the intermediate values of count 1, and one beyond 32 bits.
  assert.equal(Buffer.from(await codes.macOf(seed, 1)).toString('hex'), '75a48a19d4cbe100644e8ac1397eea747a2d33ab');
  assert.notDeepEqual(await codes.macOf(seed, 2 ** 33), await codes.macOf(seed, 0));

  const told = (/** @type {object} */ standing) => codes.refusalOf({ state: 'active', standing: { expiresAtMs: null, ...standing } }, T);
  assert.equal(codes.refusalOf({ state: 'pending', standing: null }, T), 'not_active');
  assert.equal(codes.refusalOf({ state: 'active', standing: null }, T), null);
  assert.equal(told({ standing: 'in_use' }), null);
  assert.equal(told({ standing: 'activated', expiresAtMs: T + 1 }), null);
  assert.equal(told({ standing: 'in_use', expiresAtMs: T }), 'expired');
  for (const ended of ['revoked', 'expired', 'suspended']) assert.equal(told({ standing: ended }), ended);
});

const vectors = JSON.parse(await readFile(new URL('crates/activation/tests/vectors/device-1.json', root), 'utf8'));
for (const vector of vectors) {
  const { ask, token_id, nonce, request_body, request_proof, answer_body, answer_proof } = vector;

  test(`device messages are proved as the vectors are: ${ask}`, async () => {
    const key = await crypto.subtle.importKey('raw', bytes(vector.device_key), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
    const request = await device.request(key, ask, token_id, nonce);
    assert.equal(new TextDecoder().decode(request.body), request_body);
    assert.equal(request.proof, request_proof);

    const answered = (/** @type {object} */ changed = {}) => {
      const all = { ask, token_id, nonce, body: text(answer_body), proof: answer_proof, ...changed };
      return device.answered(key, all.ask, all.token_id, all.nonce, { body: all.body, proof: all.proof });
    };
    const { server_time_ms, standing, expires_at_ms, service_name } = JSON.parse(answer_body);
    const told = await answered();
    assert.equal(told.serverTimeMs, server_time_ms);
    assert.equal(told.standing, standing);
    assert.equal(told.expiresAtMs, expires_at_ms);
    assert.equal(told.sinceMs, null);
    assert.deepEqual(told.serviceName, service_name);
    for (const changed of [
      { ask: ask === 'status' ? 'renew' : 'status' },
      { token_id: 'another' },
      { nonce: '0'.repeat(32) },
      { body: text(`${answer_body} `) },
      { proof: answer_proof.toUpperCase() },
      { proof: `0${answer_proof.slice(1)}` },
      { proof: '' },
    ]) {
      assert.equal(await answered(changed), null, JSON.stringify(changed));
    }
  });
}

test('what is sealed is bound to its token and its use, and a seed cannot be read', async () => {
  const key = await keys.newSealingKey(false);
  const seed = crypto.getRandomValues(new Uint8Array(32));
  const plain = seed.slice();
  const sealed = await keys.seal(key, 'a', 'seed', seed);
  assert.deepEqual(seed, new Uint8Array(32), 'the plain bytes are wiped');
  assert.deepEqual(await keys.unseal(key, 'a', 'seed', sealed), plain);
  await assert.rejects(keys.unseal(key, 'b', 'seed', sealed));
  await assert.rejects(keys.unseal(key, 'a', 'device', sealed));

  const hmac = await keys.unsealHmacKey(key, 'a', 'seed', sealed, 'SHA-256');
  assert.deepEqual([hmac.extractable, hmac.usages], [false, ['sign']]);
  const known = await crypto.subtle.importKey('raw', plain, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  assert.deepEqual(await codes.macOf(hmac, 7), await codes.macOf(known, 7));
  await assert.rejects(crypto.subtle.exportKey('raw', key));
});

test('a sealing key opens with the PIN, its salt and its pepper together, or with the passkey', async () => {
  const wrappable = await keys.newSealingKey(true);
  const pepper = await keys.newPepper();
  const salt = keys.randomBytes(16);
  const stretched = (/** @type {number} */ pin) => new Uint8Array(32).fill(pin);
  const by = await keys.keyOfPin(stretched(1), pepper, salt);
  const wrapped = await keys.wrap(wrappable, 'k', by);
  const opened = await keys.unwrap(wrapped, 'k', by);
  assert.equal(opened.extractable, false);
  const sealed = await keys.seal(wrappable, 'a', 'seed', text('secret'));
  assert.deepEqual(await keys.unseal(opened, 'a', 'seed', sealed), text('secret'));

  assert.notEqual(await keys.unwrap(wrapped, 'k', await keys.keyOfPin(stretched(1), pepper, salt)), null);
  for (const wrong of [
    await keys.keyOfPin(stretched(2), pepper, salt),
    await keys.keyOfPin(stretched(1), await keys.newPepper(), salt),
    await keys.keyOfPin(stretched(1), pepper, keys.randomBytes(16)),
    await keys.keyOfDevice(stretched(1), salt),
  ]) {
    assert.equal(await keys.unwrap(wrapped, 'k', wrong), null);
  }
  assert.equal(await keys.unwrap(wrapped, 'another', by), null);
  await assert.rejects(crypto.subtle.exportKey('raw', pepper));

  const byDevice = await keys.wrap(wrappable, 'k', await keys.keyOfDevice(stretched(3), salt));
  assert.notEqual(await keys.unwrap(byDevice, 'k', await keys.keyOfDevice(stretched(3), salt)), null);
  assert.equal(await keys.unwrap(byDevice, 'k', await keys.keyOfDevice(stretched(4), salt)), null);
});

test('a name is 1 to 40 characters that steer nothing', () => {
  assert.equal(nameOf(' みなと銀行 '), 'みなと銀行');
  assert.equal(nameOf('𠮷'.repeat(40)), '𠮷'.repeat(40));
  for (const none of ['', ' 　', '𠮷'.repeat(41), 'a\nb', 'a\u202eb', 'a\u2066', '\u009b']) {
    assert.equal(nameOf(none), null, JSON.stringify(none));
  }
});
