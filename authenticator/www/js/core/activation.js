// @ts-check
// One activation as a loop of steps (docs/protocol.md, section 4; J3, R50 to R55): begin, keep, send, take the answer, keep, send, take
// the answer, keep. What is kept is on the disk before the message that follows from it goes out. Ended between any two steps, the
// next run goes on with what was kept, and sends the same bytes again.
//
// The time in the server's answer is not signed, and is not looked at.

import { CoreError } from './errors.js';
import { randomBytes, seal, unseal } from './keys.js';
import { sealedToken, sealingKey } from './lock.js';
import { post } from './net.js';
import { isPin, normalisedDigits } from './pin.js';
import { alone, mark, removeToken, transact } from './store.js';
import {
  ActivationRefused,
  activateConfirm,
  activateFinish,
  activateStart,
  checkIds,
  judgeRefusal,
} from './wasm.js';

const MEDIA_TYPE = 'application/vnd.warifu.activation';
const MESSAGE_BYTES_MAX = 1024;
const START = '/activation/v1/start';
const FINISH = '/activation/v1/finish';

/** Tokens of an app, those that are not active yet too (R60). */
const TOKENS_MAX = 10;

const ID_BYTES = 8;
const RANDOMNESS_BYTES = 32;
const LENGTH_BYTES = 2;

/**
 * @typedef {import('./store.js').Token} Token
 * @typedef {import('./lock.js').SealingKey} SealingKey
 * @typedef {import('./types.js').Activated} Outcome
 * @typedef {(stage: import('./types.js').Stage) => void} OnStage
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 *
 * @typedef {{ serviceId: string, tokenUserId: string }} Order
 * @typedef {{ onStage: OnStage, password: string | undefined, held: SealingKey }} Run `held`: the key that was open when it began
 */

/**
 * @param {{ serviceId: string, tokenUserId: string, password: string }} typed
 * @param {OnStage} onStage
 * @returns {Promise<Outcome>}
 */
export async function begin(typed, onStage) {
  onStage('preparing');
  const held = await sealingKey();
  const { serviceId, tokenUserId } = await checkIds(typed.serviceId, typed.tokenUserId);
  const password = normalisedDigits(typed.password);
  const refused = serviceId.refusal ?? tokenUserId.refusal ?? formOf(password);
  if (refused) return { refused, ended: true };
  const order = { serviceId: serviceId.value, tokenUserId: tokenUserId.value };
  return alone('activation', async () => {
    const run = { onStage, password, held };
    const placed = await place(order, run);
    return placed ? go(placed.id, placed.isNew, run) : { refused: 'app_full', ended: true };
  });
}

/**
 * @param {string} id
 * @param {string | undefined} typed the activation password
 * @param {OnStage} onStage
 * @returns {Promise<Outcome>}
 */
export async function resume(id, typed, onStage) {
  onStage('preparing');
  const held = await sealingKey();
  const password = typed === undefined ? undefined : normalisedDigits(typed);
  const refused = password === undefined ? null : formOf(password);
  if (refused) return { refused, ended: false };
  return alone('activation', () => go(id, false, { onStage, password, held }));
}

/** Only the form matters here: the app does not know the service's policy. @param {string} password normalised */
function formOf(password) {
  // An activation password and a PIN look alike.
  if (isPin(password)) return null;
  return /^[0-9]*$/u.test(password) ? 'activation_password_length' : 'activation_password_not_digits';
}

/**
 * A place for the order among the tokens: the one that it has, or a new one.
 *
 * @param {Order} order
 * @param {Run} run
 * @returns {Promise<{ id: string, isNew: boolean } | null>} null when the app is full
 */
function place({ serviceId, tokenUserId }, run) {
  return alone('tokens', async () => {
    const tokens = await transact('readonly', (transaction) => transaction.tokens());
    const known = tokens.find((token) => token.serviceId === serviceId && token.tokenUserId === tokenUserId);
    if (known) return { id: known.id, isNew: false };
    if (tokens.length >= TOKENS_MAX) return null;
    const { state, request } = await activateStart(
      randomBytes(RANDOMNESS_BYTES),
      serviceId,
      tokenUserId,
      /** @type {string} */ (run.password),
    );
    const id = Array.from(randomBytes(ID_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
    const { key, keyId } = await sealingKey(run.held);
    const started = await seal(key, id, 'started', joined(state, request));
    await keep(keyId, {
      id,
      position: tokens.length,
      serviceId,
      tokenUserId,
      name: null,
      state: 'started',
      sealed: { started },
      activated: null,
      standing: null,
      clock: null,
    });
    await mark();
    return { id, isNew: true };
  });
}

/**
 * @param {string} id
 * @param {boolean} isNew whether the try was begun in this very run
 * @param {Run} run
 * @returns {Promise<Outcome>}
 */
async function go(id, isNew, run) {
  for (;;) {
    const token = await transact('readonly', (transaction) => transaction.token(id));
    if (!token) throw new CoreError('not_found');
    if (token.state === 'active') return { done: id };
    if (token.state === 'started' && run.password === undefined) return { state: 'password_needed', id };
    const step = token.state === 'started' ? await start(token, run) : await finish(token, run);
    if (step === 'forward') continue;
    if (step === 'silent') return { state: 'unreachable', id };
    const { code, retryAfterS } = step;
    const situation = { ofAnEarlierRun: !isNew, passwordAtHand: run.password !== undefined };
    switch (step.means ?? (await judgeRefusal(code, situation))) {
      case 'refused':
        return { refused: code, ended: false, ...(retryAfterS === undefined ? {} : { retryAfterS }) };
      case 'ended':
        await removeToken(id);
        return { refused: code, ended: true };
      case 'begin_again': {
        run.onStage('preparing');
        await removeToken(id);
        const placed = await place(token, run);
        // Somebody filled the place in another tab.
        if (!placed) return { refused: 'app_full', ended: true };
        ({ id, isNew } = placed);
      }
    }
  }
}

/**
 * How a step ended: one further, without an answer of the server, or refused. `means`: what follows, where the server has no say.
 *
 * @typedef {'forward' | 'silent' | { code: string, retryAfterS?: number, means?: 'refused' | 'ended' | 'begin_again' }} Step
 */

/** @param {Token} token @param {Run} run @returns {Promise<Step>} */
async function start(token, run) {
  run.onStage('contacting');
  const { state, request } = await opened(token.id, 'started', run);
  const reply = await post(START, request, { mediaType: MEDIA_TYPE, answerBytesMax: MESSAGE_BYTES_MAX });
  if (!reply) return 'silent';
  if ('problem' in reply) return reply.problem;
  run.onStage('checking');
  let pending;
  try {
    pending = await activateFinish(state, /** @type {string} */ (run.password), reply.answer.bytes);
  } catch (error) {
    return stepOf(error);
  } finally {
    state.fill(0);
  }
  const bytes = joined(pending.state, pending.request);
  await advance(token.id, run, async ({ key, keyId }) => ({
    keyId,
    state: 'pending',
    sealed: { pending: await seal(key, token.id, 'pending', bytes) },
    activated: null,
  }));
  return 'forward';
}

/** @param {Token} token @param {Run} run @returns {Promise<Step>} */
async function finish(token, run) {
  run.onStage('finishing');
  const { state, request } = await opened(token.id, 'pending', run);
  const reply = await post(FINISH, request, { mediaType: MEDIA_TYPE, answerBytesMax: MESSAGE_BYTES_MAX });
  if (!reply) return 'silent';
  if ('problem' in reply) return reply.problem;
  let activated;
  try {
    activated = await activateConfirm(state, reply.answer.bytes);
  } catch (error) {
    return stepOf(error);
  } finally {
    state.fill(0);
  }
  const { tokenId, algorithm, digits, stepS, seed, deviceKey } = activated;
  await advance(token.id, run, async ({ key, keyId }) => ({
    keyId,
    state: 'active',
    sealed: {
      seed: await seal(key, token.id, 'seed', seed),
      device: await seal(key, token.id, 'device', deviceKey),
    },
    activated: { tokenId, algorithm, digits, stepS },
  }));
  return 'forward';
}

/** What an answer that could not be taken makes of the step. @param {unknown} error @returns {Step} */
function stepOf(error) {
  if (!(error instanceof ActivationRefused)) throw error;
  switch (error.refusal) {
    case 'wrong_password_or_ids':
      return { code: 'activation_refused', means: 'ended' };
    case 'another_password':
      return { code: 'activation_refused', means: 'begin_again' };
    case 'out_of_memory':
      return { code: 'out_of_memory', means: 'refused' };
    case 'bad_answer':
    case 'not_confirmed':
      // Not the server's word: as if nobody had answered.
      return 'silent';
    default:
      throw error;
  }
}

/**
 * @param {string} id
 * @param {Run} run
 * @param {(key: SealingKey) => Promise<Pick<Token, 'state' | 'sealed' | 'activated'> & { keyId: string }>} make
 */
function advance(id, run, make) {
  return alone('tokens', async () => {
    const { keyId, ...further } = await make(await sealingKey(run.held));
    const token = await transact('readonly', (transaction) => transaction.token(id));
    if (!token) throw new CoreError('not_found');
    await keep(keyId, { ...token, ...further });
  });
}

/**
 * Keeps a token, if everything is still sealed under that key.
 *
 * @param {string} keyId
 * @param {Token} token
 */
function keep(keyId, token) {
  return transact('readwrite', async (transaction) => {
    const lock = await transaction.setting('lock');
    if (lock?.keyId !== keyId || 'erased' in lock) throw new CoreError('locked');
    await transaction.put(token);
  });
}

/** The state and the message that goes with it, as one. @param {Uint8Array} state wiped @param {Uint8Array} request @returns {Bytes} */
function joined(state, request) {
  const bytes = new Uint8Array(LENGTH_BYTES + state.length + request.length);
  new DataView(bytes.buffer).setUint16(0, state.length);
  bytes.set(state, LENGTH_BYTES);
  bytes.set(request, LENGTH_BYTES + state.length);
  state.fill(0);
  return bytes;
}

/** @param {string} id @param {'started' | 'pending'} what @param {Run} run */
async function opened(id, what, run) {
  const { sealing, token } = await sealedToken(id, run.held);
  const kept = token.sealed[what];
  // Nobody else takes steps at the same time.
  if (!kept) throw new CoreError('internal');
  const bytes = await unseal(sealing.key, id, what, kept);
  const requestAt = LENGTH_BYTES + new DataView(bytes.buffer).getUint16(0);
  return { state: bytes.subarray(LENGTH_BYTES, requestAt), request: bytes.slice(requestAt) };
}
