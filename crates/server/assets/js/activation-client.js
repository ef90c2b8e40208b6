// @ts-check
// The client half of the activation handshake (docs/protocol.md), and the rules that a page or an app needs, as calls on the
// wasm module `client.wasm`. Everything here works on bytes: no network, no storage, no randomness of its own, so that a test can fix every byte.

/** What a call can refuse, by the status byte of `authenticator/wasm/src/lib.rs`. */
const REFUSALS = /** @type {const} */ ([
  'done',
  'bad_call',
  'bad_password',
  'bad_id',
  'bad_answer',
  'wrong_password_or_ids',
  'another_password',
  'not_confirmed',
  'out_of_memory',
]);

/** @typedef {Exclude<typeof REFUSALS[number], 'done'>} Refusal */

const ABI_VERSION = 1;
const LENGTH_BYTES = 2;
const OUTPUT_LENGTH_BYTES = 4;

const OPERATION = /** @type {const} */ ({
  registerStart: 1,
  registerFinish: 2,
  activateStart: 3,
  activateFinish: 4,
  activateConfirm: 5,
  judgePassword: 6,
  checkIds: 7,
  codeOfMac: 8,
  stretch: 9,
  judgeRefusal: 10,
});

/**
 * @typedef {object} Exports
 * @property {WebAssembly.Memory} memory
 * @property {() => number} warifu_abi
 * @property {(bytes: number) => number} warifu_alloc
 * @property {(operation: number, input: number, bytes: number) => number} warifu_call
 * @property {(buffer: number, bytes: number) => void} warifu_free
 */

/** The handshake says no: `refusal` says why. */
export class ActivationRefused extends Error {
  /** @param {Refusal} refusal */
  constructor(refusal) {
    super(refusal);
    this.name = 'ActivationRefused';
    /** @readonly */
    this.refusal = refusal;
  }
}

/**
 * The fields, each behind its length in two big-endian bytes.
 * @param {readonly Uint8Array[]} fields
 */
function join(fields) {
  const bytes = new Uint8Array(
    fields.reduce((sum, field) => sum + LENGTH_BYTES + field.length, 0),
  );
  let place = 0;
  for (const field of fields) {
    bytes[place] = field.length >> 8;
    bytes[place + 1] = field.length & 0xff;
    bytes.set(field, place + LENGTH_BYTES);
    place += LENGTH_BYTES + field.length;
  }
  return bytes;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} count
 */
function split(bytes, count) {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const fields = [];
  let place = 0;
  for (let i = 0; i < count; i += 1) {
    const length = (bytes[place] << 8) | bytes[place + 1];
    place += LENGTH_BYTES;
    fields.push(bytes.slice(place, place + length));
    place += length;
  }
  if (place !== bytes.length) throw new Error('the module answered with other fields');
  return fields;
}

/**
 * One operation in a fresh instance: Argon2id grows an instance's memory to more than 64 MiB, and it never shrinks.
 * @param {WebAssembly.Module} module
 * @param {number} operation
 * @param {readonly Uint8Array[]} input
 * @param {number} outputs how many fields come back
 */
async function call(module, operation, input, outputs) {
  const instance = await WebAssembly.instantiate(module, {});
  const wasm = /** @type {Exports} */ (/** @type {unknown} */ (instance.exports));
  if (wasm.warifu_abi() !== ABI_VERSION) throw new Error('the module has another version');
  const bytes = join(input);
  const buffer = wasm.warifu_alloc(bytes.length);
  if (buffer === 0) throw new ActivationRefused('bad_call');
  new Uint8Array(wasm.memory.buffer).set(bytes, buffer);
  let answer;
  try {
    answer = wasm.warifu_call(operation, buffer, bytes.length);
  } catch (error) {
    // An allocation that fails ends in a trap, and the instance is thrown away with it.
    if (error instanceof WebAssembly.RuntimeError) throw new ActivationRefused('out_of_memory');
    throw error;
  } finally {
    bytes.fill(0);
  }
  // Read the memory anew: the call has grown it.
  const view = new DataView(wasm.memory.buffer);
  const length = view.getUint32(answer, true);
  const start = answer + OUTPUT_LENGTH_BYTES;
  const output = new Uint8Array(wasm.memory.buffer).slice(start, start + length);
  wasm.warifu_free(buffer, bytes.length);
  wasm.warifu_free(answer, OUTPUT_LENGTH_BYTES + length);
  const status = REFUSALS[output[0]];
  if (status !== 'done') throw new ActivationRefused(status ?? 'bad_call');
  return split(output.subarray(1), outputs);
}

const text = new TextEncoder();
const ascii = new TextDecoder();

/**
 * Judges an activation password that is being chosen (R44).
 * @param {WebAssembly.Module} module
 * @param {string} password normalised: NFKC, no white space
 * @param {{min: number, max: number}} length least and most digits, by policy
 * @param {{loginId: string, mailAddress: string}} own what others may know of the person: no part of it is accepted
 * @returns {Promise<{refusal: string | null}>} the stable code of the refusal, or null when the password may be used
 */
export async function judgePassword(module, password, { min, max }, { loginId, mailAddress }) {
  const [code] = await call(
    module,
    OPERATION.judgePassword,
    [Uint8Array.of(min, max), text.encode(password), text.encode(loginId), text.encode(mailAddress)],
    1,
  );
  return { refusal: ascii.decode(code) || null };
}

/**
 * Blinds the activation password on the issuance page.
 * @param {WebAssembly.Module} module
 * @param {Uint8Array} randomness 32 fresh random bytes
 * @param {string} password 4 to 8 ASCII digits
 */
export async function registerStart(module, randomness, password) {
  const [state, request] = await call(
    module,
    OPERATION.registerStart,
    [randomness, text.encode(password)],
    2,
  );
  return { state, request };
}

/**
 * Makes the record that the server keeps.
 * @param {WebAssembly.Module} module
 * @param {Uint8Array} state of `registerStart`
 * @param {string} password the same as at the start
 * @param {Uint8Array} response the server's registration response
 */
export async function registerFinish(module, state, password, response) {
  const [record] = await call(
    module,
    OPERATION.registerFinish,
    [state, text.encode(password), response],
    1,
  );
  return { record };
}

/**
 * Begins an activation in the app. Keep `state`, sealed, before `request` goes out.
 * @param {WebAssembly.Module} module
 * @param {Uint8Array} randomness 32 fresh random bytes
 * @param {string} serviceId
 * @param {string} tokenUserId
 * @param {string} password
 */
export async function activateStart(module, randomness, serviceId, tokenUserId, password) {
  const [state, request] = await call(
    module,
    OPERATION.activateStart,
    [randomness, text.encode(serviceId), text.encode(tokenUserId), text.encode(password)],
    2,
  );
  return { state, request };
}

/**
 * Learns whether the password was right. Keep `state`, sealed, before `request` goes out.
 * @param {WebAssembly.Module} module
 * @param {Uint8Array} state of `activateStart`
 * @param {string} password the same as at the start
 * @param {Uint8Array} response the server's start response
 */
export async function activateFinish(module, state, password, response) {
  const [pending, request, time] = await call(
    module,
    OPERATION.activateFinish,
    [state, text.encode(password), response],
    3,
  );
  const serverTimeMs = Number(new DataView(time.buffer, time.byteOffset).getBigInt64(0));
  return { state: pending, request, serverTimeMs };
}

/**
 * Checks the server's last message and gives the token.
 * @param {WebAssembly.Module} module
 * @param {Uint8Array} state of `activateFinish`
 * @param {Uint8Array} response the server's finish response
 */
export async function activateConfirm(module, state, response) {
  const [tokenId, serviceId, tokenUserId, parameters, seed, deviceKey] = await call(
    module,
    OPERATION.activateConfirm,
    [state, response],
    6,
  );
  return {
    tokenId: ascii.decode(tokenId),
    serviceId: ascii.decode(serviceId),
    tokenUserId: ascii.decode(tokenUserId),
    algorithm: /** @type {const} */ (['SHA-1', 'SHA-256', 'SHA-512'])[parameters[0] - 1],
    digits: parameters[1],
    stepS: new DataView(parameters.buffer, parameters.byteOffset).getUint32(2),
    seed,
    deviceKey,
  };
}

/**
 * Brings the two ids that a person typed into their one spelling; a typing mistake is found before anything is sent (R48).
 * @param {WebAssembly.Module} module
 * @param {string} serviceId
 * @param {string} tokenUserId
 */
export async function checkIds(module, serviceId, tokenUserId) {
  const fields = await call(
    module,
    OPERATION.checkIds,
    [text.encode(serviceId.normalize('NFKC')), text.encode(tokenUserId.normalize('NFKC'))],
    4,
  );
  const [service, serviceRefusal, user, userRefusal] = fields.map((field) => ascii.decode(field));
  /** @param {string} value @param {string} typed @param {string} code */
  const checked = (value, typed, code) => ({
    value: value || typed,
    refusal: /** @type {'id_length' | 'id_alphabet' | 'id_check_digit' | null} */ (code || null),
  });
  return {
    serviceId: checked(service, serviceId, serviceRefusal),
    tokenUserId: checked(user, tokenUserId, userRefusal),
  };
}

/**
 * The code of a time step whose HMAC the browser has computed, by a key that nobody can read (RFC 4226, section 5.3).
 * @param {WebAssembly.Module} module
 * @param {Uint8Array} mac
 * @param {number} digits 6 to 8
 */
export async function codeOfMac(module, mac, digits) {
  const [code] = await call(module, OPERATION.codeOfMac, [mac, Uint8Array.of(digits)], 1);
  return ascii.decode(code);
}

/**
 * Stretches a secret that was typed to open what this device keeps. Runs Argon2id.
 * @param {WebAssembly.Module} module
 * @param {string} secret normalised
 * @param {Uint8Array} salt 16 random bytes
 */
export async function stretch(module, secret, salt) {
  const [stretched] = await call(module, OPERATION.stretch, [text.encode(secret), salt], 1);
  return stretched;
}

/**
 * What an unfinished token becomes when the server refuses.
 * @param {WebAssembly.Module} module
 * @param {string} code of the refusal
 * @param {{ ofAnEarlierRun: boolean, passwordAtHand: boolean }} situation
 */
export async function judgeRefusal(module, code, { ofAnEarlierRun, passwordAtHand }) {
  const flags = Number(ofAnEarlierRun) | (Number(passwordAtHand) << 1);
  const input = [text.encode(code), Uint8Array.of(flags)];
  const [consequence] = await call(module, OPERATION.judgeRefusal, input, 1);
  return /** @type {'ended' | 'begin_again' | 'refused'} */ (ascii.decode(consequence));
}
