// The committed wasm module against the vectors that both halves in Rust make: with the same randomness, the same bytes.
// Run with `node --test authenticator/wasm/test/` from anywhere; needs nothing installed.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const root = new URL('../../../', import.meta.url);
const client = await import(
  new URL('crates/server/assets/js/activation-client.js', root).href
);
const wasm = await readFile(new URL('crates/server/assets/wasm/client.wasm', root));
const recorded = JSON.parse(
  await readFile(new URL('crates/server/assets/wasm/client.wasm.json', root), 'utf8'),
);
const { vectors } = JSON.parse(
  await readFile(
    new URL('crates/activation/tests/vectors/activation-1.json', root),
    'utf8',
  ),
);
const module = await WebAssembly.compile(wasm);

const bytes = (/** @type {string} */ hex) => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (/** @type {Uint8Array} */ bytes) => Buffer.from(bytes).toString('hex');
const refusal = (/** @type {string} */ refusal) => ({ name: 'ActivationRefused', refusal });

test('the committed module is the recorded one and imports nothing', () => {
  assert.equal(createHash('sha256').update(wasm).digest('hex'), recorded.sha256);
  assert.equal(wasm.length, recorded.bytes);
  assert.deepEqual(WebAssembly.Module.imports(module), []);
});

for (const { inputs, messages, keys, states } of vectors) {
  test(`registration and activation for ${inputs.algorithm} make the vectors' bytes`, async () => {
    const page = await client.registerStart(
      module,
      bytes(inputs.registration_randomness),
      inputs.activation_password,
    );
    assert.equal(hex(page.state), states.registration);
    assert.equal(hex(page.request), messages.registration_request);
    const { record } = await client.registerFinish(
      module,
      page.state,
      inputs.activation_password,
      bytes(messages.registration_response),
    );
    assert.equal(hex(record), messages.registration_record);

    const started = await client.activateStart(
      module,
      bytes(inputs.activation_randomness),
      inputs.service_id,
      inputs.token_user_id,
      inputs.activation_password,
    );
    assert.equal(hex(started.state), states.started);
    assert.equal(hex(started.request), messages.start_request);
    const pending = await client.activateFinish(
      module,
      started.state,
      inputs.activation_password,
      bytes(messages.start_response),
    );
    assert.equal(hex(pending.state), states.pending);
    assert.equal(hex(pending.request), messages.finish_request);
    assert.equal(pending.serverTimeMs, inputs.server_time_ms);
    const token = await client.activateConfirm(
      module,
      pending.state,
      bytes(messages.finish_response),
    );
    assert.equal(hex(token.seed), keys.seed);
    assert.equal(hex(token.deviceKey), keys.device_key);
    assert.equal(token.tokenId, inputs.token_id);
    assert.equal(token.serviceId, inputs.service_id);
    assert.equal(token.tokenUserId, inputs.token_user_id);
    assert.equal(token.algorithm.replace('-', ''), inputs.algorithm);
    assert.equal(token.digits, inputs.digits);
    assert.equal(token.stepS, inputs.step_s);
  });
}

test('a chosen password is judged by the rules of the server', async () => {
  const own = { loginId: 'tanaka5937', mailAddress: 't0468@example.jp' };
  const judged = async (/** @type {string} */ password, length = { min: 4, max: 8 }) =>
    (await client.judgePassword(module, password, length, own)).refusal;
  for (const [password, code] of [
    ['604817', null],
    ['', 'activation_password_length'],
    ['604', 'activation_password_length'],
    ['604817253', 'activation_password_length'],
    ['60481a', 'activation_password_not_digits'],
    ['６０４８１７', 'activation_password_not_digits'],
    ['1234', 'activation_password_trivial'],
    ['19840229', 'activation_password_trivial'],
    ['5937', 'activation_password_trivial'],
    ['0468', 'activation_password_trivial'],
  ]) {
    assert.equal(await judged(/** @type {string} */ (password)), code, `${password}`);
  }
  assert.equal(await judged('60481', { min: 6, max: 8 }), 'activation_password_length');
});

test('what is wrong is refused by its name', async () => {
  const { inputs, messages, states } = vectors[0];
  const random = () => new Uint8Array(32);
  const good = inputs.activation_password;
  await assert.rejects(client.registerStart(module, random(), '123'), refusal('bad_password'));
  await assert.rejects(client.registerStart(module, random(), '１２３４'), refusal('bad_password'));
  await assert.rejects(client.registerStart(module, new Uint8Array(31), good), refusal('bad_call'));
  await assert.rejects(
    client.registerFinish(module, bytes(states.registration), '9999', bytes(messages.registration_response)),
    refusal('another_password'),
  );
  await assert.rejects(
    client.registerFinish(module, bytes(states.registration), good, bytes(messages.start_response)),
    refusal('bad_answer'),
  );
  await assert.rejects(
    client.registerFinish(module, new Uint8Array(5000), good, bytes(messages.registration_response)),
    refusal('bad_call'),
  );
  await assert.rejects(
    client.activateStart(module, random(), 'no spaces', inputs.token_user_id, good),
    refusal('bad_id'),
  );
  await assert.rejects(
    client.activateFinish(module, bytes(states.started), good, bytes(messages.decoy_start_response)),
    refusal('wrong_password_or_ids'),
  );
  const bent = bytes(messages.finish_response);
  bent[bent.length - 1] ^= 1;
  await assert.rejects(
    client.activateConfirm(module, bytes(states.pending), bent),
    refusal('not_confirmed'),
  );
});
