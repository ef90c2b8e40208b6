// @ts-check
// The tokens of this device: their list, their names, their codes, and what their server says of them. How a token comes about is
// in `activation.js`.

import { ClockWatch, measure, withMeasure } from './clock.js';
import { macOf, refusalOf, secondsLeft, timeStep } from './codes.js';
import { ask } from './device.js';
import { CoreError } from './errors.js';
import { unsealHmacKey } from './keys.js';
import { sealedToken, sealingKey } from './lock.js';
import { nameOf } from './names.js';
import { allTokens, alone, arrangeTokens, changeToken, removeToken } from './store.js';
import { codeOfMac } from './wasm.js';

/** @typedef {import('./store.js').Token} Token */

const watch = new ClockWatch(
  () => Date.now(),
  () => performance.now(),
);

/**
 * The keys of the codes and the codes of this step and the next: forgotten when the app is locked.
 *
 * @type {Map<string, { keyId: string, seed: CryptoKey, codes: Map<number, string> }>}
 */
const shown = new Map();

/** Forgets what codes are made of. */
export function forgetCodes() {
  shown.clear();
}

/** @returns {Promise<import('./types.js').TokenView[]>} */
export async function views() {
  await sealingKey();
  return (await allTokens()).map(view);
}

/** @param {Token} token @returns {import('./types.js').TokenView} */
function view(token) {
  const { id, serviceId, tokenUserId, name, state, activated, standing, clock } = token;
  return {
    id,
    serviceId,
    tokenUserId,
    name,
    serviceName: standing?.serviceName ?? null,
    userName: standing?.userName ?? null,
    helpDesk: standing?.helpDesk ?? null,
    state,
    standing: standing?.standing ?? null,
    sinceMs: standing?.sinceMs ?? null,
    expiresAtMs: standing?.expiresAtMs ?? null,
    renewableFromMs: standing?.renewableFromMs ?? null,
    digits: activated?.digits ?? null,
    stepS: activated?.stepS ?? null,
    checkedAtMs: standing?.checkedAtMs ?? null,
    clock: activated ? watch.judge(id, clock, activated.stepS) : { state: 'unchecked', offsetMs: 0 },
  };
}

/**
 * The code of this moment.
 *
 * @param {string} id
 * @returns {Promise<import('./types.js').CodeNow>}
 */
export async function code(id) {
  const { sealing, token } = await sealedToken(id);
  const { activated, clock } = token;
  if (!activated) return { refused: 'not_active' };
  const { stepS, digits } = activated;
  const { reason, offsetMs } = watch.judge(id, clock, stepS);
  const nowMs = Date.now() + offsetMs;
  const refused = refusalOf(token, nowMs) ?? reason;
  if (refused) return { refused };

  const known = shown.get(id);
  const { seed, codes } =
    known?.keyId === sealing.keyId
      ? known
      : { seed: await hmacKey(sealing, token, 'seed', activated.algorithm), codes: new Map() };
  const step = timeStep(nowMs, stepS);
  const at = async (/** @type {number} */ step) => codes.get(step) ?? codeOfMac(await macOf(seed, step), digits);
  const [now, next] = [await at(step), await at(step + 1)];
  const both = new Map([
    [step, now],
    [step + 1, next],
  ]);
  // The app may have been locked in the meantime, and then nothing of a token may stay behind.
  await sealingKey();
  shown.set(id, { keyId: sealing.keyId, seed, codes: both });
  return { code: now, next, stepS, secondsLeft: secondsLeft(nowMs, stepS), serverNowMs: nowMs };
}

/**
 * @param {import('./lock.js').SealingKey} sealing
 * @param {Token} token
 * @param {'seed' | 'device'} what
 * @param {string} hash
 */
function hmacKey({ key }, { id, sealed }, what, hash) {
  const kept = sealed[what];
  if (!kept) throw new CoreError('internal');
  return unsealHmacKey(key, id, what, kept, hash);
}

/**
 * Asks for the standing of one token or of all.
 *
 * @param {string} [id]
 * @returns {Promise<{ reached: boolean, changed: boolean }>}
 */
export async function refresh(id) {
  await sealingKey();
  const ids = id === undefined ? (await allTokens()).map(({ id }) => id) : [id];
  // One token that is damaged, or was just removed, keeps nothing from the others.
  const replies = await Promise.allSettled(ids.map((id) => asked(id, 'status')));
  const signed = replies.flatMap((reply) => (reply.status === 'fulfilled' && reply.value && 'changed' in reply.value ? [reply.value] : []));
  return { reached: signed.length > 0, changed: signed.some(({ changed }) => changed) };
}

/**
 * Asks for a longer life.
 *
 * @param {string} id
 * @returns {Promise<import('./types.js').Renewed>}
 */
export async function renew(id) {
  const { token } = await sealedToken(id);
  if (token.state !== 'active') return { refused: 'not_active' };
  const reply = await asked(id, 'renew');
  if (!reply) return { state: 'unreachable' };
  // It may have been renewed before, by a request whose answer was lost: the status tells.
  if ('problem' in reply) await asked(id, 'status');
  return 'problem' in reply ? { refused: reply.problem.code } : { ok: true };
}

/**
 * Asks for one token and keeps what comes.
 *
 * @param {string} id
 * @param {import('./device.js').Question} question
 * @returns {Promise<{ changed: boolean } | { problem: import('./net.js').Problem } | null>} null when nothing came that the server
 *   has signed, or while the token is not active
 */
async function asked(id, question) {
  const { sealing, token } = await sealedToken(id);
  const { activated } = token;
  if (!activated) return null;
  const key = await hmacKey(sealing, token, 'device', 'SHA-256');
  const reply = await ask(key, question, activated.tokenId);
  if (!reply || 'problem' in reply) return reply;
  const { answer, told } = reply;
  const { serverTimeMs, ...standing } = told;
  const measured = measure({ ...answer, serverTimeMs });
  let changed = false;
  try {
    await alone('tokens', () =>
      changeToken(id, (token) => {
        const before = lookOf(token);
        token.standing = { ...standing, checkedAtMs: answer.receivedAtMs };
        if (measured) {
          token.clock = withMeasure(token.clock, measured, serverTimeMs);
          watch.measured(id, token.clock);
        }
        changed = before !== lookOf(token);
      }),
    );
  } catch (error) {
    // Removed while the server was asked.
    if (!(error instanceof CoreError && error.code === 'not_found')) throw error;
  }
  return { changed };
}

/** What a person would notice of a token. @param {Token} token */
function lookOf(token) {
  const { clock, ...shown } = view(token);
  return JSON.stringify({ ...shown, checkedAtMs: null, clock: clock.state });
}

/**
 * @param {string} id
 * @param {string | null} typed null to have none
 * @returns {Promise<import('./types.js').Renamed>}
 */
export async function rename(id, typed) {
  await sealingKey();
  const name = typed === null ? null : nameOf(typed);
  if (typed !== null && name === null) return { refused: 'name_format' };
  await alone('tokens', () => changeToken(id, (token) => (token.name = name)));
  return { ok: true };
}

/** @param {string} id @param {number} position from 0; beyond the end is the end */
export async function move(id, position) {
  await sealingKey();
  await alone('tokens', () =>
    arrangeTokens((tokens) => {
      const from = tokens.findIndex((token) => token.id === id);
      if (from < 0) throw new CoreError('not_found');
      const [moved] = tokens.splice(from, 1);
      tokens.splice(Math.max(0, position), 0, moved);
      return tokens;
    }),
  );
}

/** @param {string} id */
export async function remove(id) {
  await sealingKey();
  await removeToken(id);
  shown.delete(id);
}
