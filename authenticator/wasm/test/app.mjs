// What only the phone app asks of the committed wasm module: ids as people type them, codes of keys that nobody can read, the
// stretching of a PIN, and what a refusal means.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const root = new URL('../../../', import.meta.url);
const client = await import(new URL('crates/server/assets/js/activation-client.js', root).href);
const module = await WebAssembly.compile(
  await readFile(new URL('crates/server/assets/wasm/client.wasm', root)),
);

const hex = (/** @type {Uint8Array} */ bytes) => Buffer.from(bytes).toString('hex');
const refusal = (/** @type {string} */ refusal) => ({ name: 'ActivationRefused', refusal });

test('r48 ids are read as people type them, and a typing mistake is told', async () => {
  const { serviceId, tokenUserId } = await client.checkIds(
    module,
    '　ＤＥＭＯ－Bank ',
    '００００ー0000 ‐00000−0',
  );
  assert.deepEqual(serviceId, { value: 'demo-bank', refusal: null });
  assert.deepEqual(tokenUserId, { value: '00000000000000', refusal: null });
  for (const [service, user, codes] of [
    ['', '', ['id_length', 'id_length']],
    ['demo bank!', '0000000000000a', ['id_alphabet', 'id_alphabet']],
    ['demo', '00000000000001', [null, 'id_check_digit']],
    ['デモ', '0000000000000', ['id_alphabet', 'id_length']],
  ]) {
    const checked = await client.checkIds(module, service, user);
    assert.deepEqual([checked.serviceId.refusal, checked.tokenUserId.refusal], codes, `${service} ${user}`);
    if (checked.tokenUserId.refusal) assert.equal(checked.tokenUserId.value, user);
  }
});

test('r01 a code comes from an HMAC of a key that cannot be read (RFC 6238, appendix B)', async () => {
  const rows = [
    ['SHA-1', 20, '94287082'],
    ['SHA-256', 32, '46119246'],
    ['SHA-512', 64, '90693936'],
  ];
  for (const [hash, bytes, code] of rows) {
    const seed = Buffer.from('1234567890'.repeat(7).slice(0, Number(bytes)));
    const key = await crypto.subtle.importKey('raw', seed, { name: 'HMAC', hash }, false, ['sign']);
    const step = new Uint8Array(8);
    step[7] = 1;
    const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, step));
    assert.equal(await client.codeOfMac(module, mac, 8), code);
    assert.equal(await client.codeOfMac(module, mac, 6), String(code).slice(2));
  }
  await assert.rejects(client.codeOfMac(module, new Uint8Array(31), 6), refusal('bad_call'));
  await assert.rejects(client.codeOfMac(module, new Uint8Array(32), 9), refusal('bad_call'));
});

test('a PIN is stretched by its salt', async () => {
  const stretched = async (/** @type {string} */ pin, /** @type {number} */ salt) =>
    hex(await client.stretch(module, pin, new Uint8Array(16).fill(salt)));
  // By the reference implementation (argon2-cffi): hash_secret_raw(b'604817', salt, 3, 65536, 1, 32, Type.ID).
  const salt = new TextEncoder().encode('abcdefghijklmnop');
  assert.equal(
    hex(await client.stretch(module, '604817', salt)),
    '8cb012d3f6a33ac137ad4227a1df1dd5b052d25adae4a9e933b42450f710fada',
  );
  const once = await stretched('604817', 7);
  assert.equal(await stretched('604817', 7), once);
  assert.notEqual(await stretched('604817', 8), once);
  assert.notEqual(await stretched('604818', 7), once);
  await assert.rejects(client.stretch(module, '604817', new Uint8Array(15)), refusal('bad_call'));
});

test('r62 only a final code ends an unfinished token', async () => {
  const judged = (/** @type {string} */ code, ofAnEarlierRun = false, passwordAtHand = false) =>
    client.judgeRefusal(module, code, { ofAnEarlierRun, passwordAtHand });
  for (const code of ['already_activated', 'issuance_expired', 'activation_gone']) {
    assert.equal(await judged(code), 'ended');
    assert.equal(await judged(code, true, true), 'ended');
  }
  for (const code of ['activation_attempt_over', 'activation_refused', 'activation_message']) {
    assert.equal(await judged(code, false, true), 'ended');
    assert.equal(await judged(code, true, false), 'ended');
    assert.equal(await judged(code, true, true), 'begin_again');
  }
  for (const code of ['too_many_requests', 'raced', 'internal', 'of_a_later_version', '']) {
    assert.equal(await judged(code, true, true), 'refused');
  }
});
