// @ts-check
// The codes of a token (RFC 6238, T0 = 0): from a key that nobody can read, the rule of the compiled module, and the server's time.

/** Standings under which no server accepts a code. */
const REFUSED = /** @type {const} */ (['revoked', 'expired', 'suspended']);

const COUNTER_BYTES = 8;

/**
 * Whether the last signed word about a token lets it give codes.
 *
 * @param {Pick<import('./store.js').Token, 'state' | 'standing'>} token
 * @param {number} serverNowMs
 * @returns {import('./types.js').CodeRefusal | null}
 */
export function refusalOf({ state, standing }, serverNowMs) {
  if (state !== 'active') return 'not_active';
  const refused = REFUSED.find((refused) => refused === standing?.standing);
  if (refused) return refused;
  const expiresAtMs = standing?.expiresAtMs ?? null;
  return expiresAtMs !== null && expiresAtMs <= serverNowMs ? 'expired' : null;
}

/** @param {number} nowMs @param {number} stepS */
export function timeStep(nowMs, stepS) {
  return Math.floor(nowMs / 1000 / stepS);
}

/** @param {number} nowMs @param {number} stepS @returns {number} whole seconds until the next code, 1 to `stepS` */
export function secondsLeft(nowMs, stepS) {
  const second = Math.floor(nowMs / 1000);
  return stepS - (((second % stepS) + stepS) % stepS);
}

/**
 * @param {CryptoKey} seed an HMAC key
 * @param {number} step
 */
export async function macOf(seed, step) {
  const counter = new DataView(new ArrayBuffer(COUNTER_BYTES));
  counter.setBigUint64(0, BigInt(Math.max(0, step)));
  return new Uint8Array(await crypto.subtle.sign('HMAC', seed, counter));
}
