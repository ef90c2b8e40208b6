// @ts-check
// The app's lock: under which key everything is sealed, and what opens that key. While the app is open the key is in this worker's
// memory, as one that cannot be read; while it is locked, nowhere.

import { CoreError } from './errors.js';
import {
  keyOfDevice,
  keyOfPin,
  newPepper,
  newSealingKey,
  randomBytes,
  seal,
  unseal,
  unwrap,
  wrap,
} from './keys.js';
import { TRIES_MAX, afterPutBack, isPin, normalisedDigits, waitAfterMs, waitLeftMs } from './pin.js';
import { alone, transact } from './store.js';
import { ActivationRefused, judgePassword, stretch } from './wasm.js';

const SALT_BYTES = 16;

/**
 * @typedef {import('./store.js').Sealed} Sealed
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 *
 * @typedef {{ kind: 'none', keyId: string, key: CryptoKey }} NoLock
 * @typedef {{ kind: 'pin', keyId: string, wrapped: Sealed, salt: Bytes, pepper: CryptoKey, tries: number, lastTryAtMs: number }} PinLock
 * @typedef {{ kind: 'device', keyId: string, wrapped: Sealed, salt: Bytes, credentialId: Bytes, prfSalt: Bytes }} DeviceLock
 * @typedef {{ kind: 'pin', keyId: string, erased: true }} ErasedLock
 * @typedef {NoLock | PinLock | DeviceLock | ErasedLock} Lock
 *
 * @typedef {{ keyId: string, key: CryptoKey }} SealingKey
 */

/** The setting that the lock is kept under. */
const LOCK = 'lock';

/** @type {SealingKey | null} */
let opened = null;

/** The lock; the first time, none, with a key that the browser keeps. @returns {Promise<Lock>} */
export async function currentLock() {
  const read = () => transact('readonly', (transaction) => transaction.setting(LOCK));
  const lock = await read();
  if (lock) return lock;
  const first = { kind: 'none', ...(await newKey(false)) };
  return transact('readwrite', async (transaction) => {
    // Another tab may have been quicker.
    const other = await transaction.setting(LOCK);
    if (!other) await transaction.set(LOCK, first);
    return other ?? first;
  });
}

/**
 * The key that everything is sealed under.
 *
 * @param {SealingKey} [held] one that was open when something began that may end after the app is locked
 * @returns {Promise<SealingKey>}
 */
export async function sealingKey(held) {
  const lock = await currentLock();
  if ('erased' in lock) throw new CoreError('locked');
  if (lock.kind === 'none') return lock;
  const key = [opened, held].find((key) => key?.keyId === lock.keyId);
  if (!key) throw new CoreError('locked');
  return key;
}

/**
 * A token, and the key that its secrets are sealed under. The two are read together: another tab may change the lock.
 *
 * @param {string} id
 * @param {SealingKey} [held] as for {@link sealingKey}
 * @returns {Promise<{ sealing: SealingKey, token: import('./store.js').Token }>}
 */
export async function sealedToken(id, held) {
  for (;;) {
    const sealing = await sealingKey(held);
    const { token, lock } = await transact('readonly', async (transaction) => ({
      token: await transaction.token(id),
      lock: /** @type {Lock | undefined} */ (await transaction.setting(LOCK)),
    }));
    if (!token) throw new CoreError('not_found');
    if (lock?.keyId === sealing.keyId) return { sealing, token };
  }
}

/** @returns {Promise<boolean>} */
export async function isLocked() {
  const lock = await currentLock();
  return 'erased' in lock || (lock.kind !== 'none' && opened?.keyId !== lock.keyId);
}

/** Forgets the key. */
export function forgetKey() {
  opened = null;
}

/**
 * @param {import('./types.js').UnlockWith} secret
 * @returns {Promise<import('./types.js').Unlocked>}
 */
export function unlock(secret) {
  return alone('lock', async () => {
    const lock = await currentLock();
    if ('erased' in lock) return { erased: true };
    if (lock.kind === 'none') return { ok: true };
    if (lock.kind === 'pin' && 'pin' in secret) return byPin(lock, secret.pin);
    if (lock.kind === 'device' && 'prf' in secret) return byDevice(lock, secret.prf);
    return { ok: false, triesLeft: triesLeft(lock), waitMs: 0 };
  });
}

/** How many wrong PINs are left. @param {Lock} lock */
export function triesLeft(lock) {
  return 'tries' in lock ? TRIES_MAX - lock.tries : TRIES_MAX;
}

/** @param {Lock} lock @returns {number} */
export function unlockWaitMs(lock) {
  return 'tries' in lock ? waitLeftMs(lock, Date.now()) : 0;
}

/** @param {DeviceLock} lock @param {Bytes} prf @returns {Promise<import('./types.js').Unlocked>} */
async function byDevice(lock, prf) {
  const key = await unwrap(lock.wrapped, lock.keyId, await keyOfDevice(prf, lock.salt));
  // 32 random bytes of an authenticator are not guessed: nothing is counted.
  if (!key) return { ok: false, triesLeft: TRIES_MAX, waitMs: 0 };
  opened = { keyId: lock.keyId, key };
  return { ok: true };
}

/** @param {PinLock} lock @param {string} typed @returns {Promise<import('./types.js').Unlocked>} */
async function byPin(lock, typed) {
  // Ended after the last try was counted and before it was judged.
  if (lock.tries >= TRIES_MAX) return erase(lock);
  const putBack = afterPutBack(lock, Date.now());
  if (putBack) lock = await keep({ ...lock, ...putBack });
  const waitMs = unlockWaitMs(lock);
  const pin = normalisedDigits(typed);
  // What cannot be a PIN was not tried.
  if (waitMs > 0 || !isPin(pin)) return { ok: false, triesLeft: triesLeft(lock), waitMs };

  // Nothing is learnt yet; if there is no memory for it, nothing was tried.
  const by = await keyOfPin(await stretched(pin, lock.salt), lock.pepper, lock.salt);
  lock = await keep({ ...lock, tries: lock.tries + 1, lastTryAtMs: Date.now() });
  const key = await unwrap(lock.wrapped, lock.keyId, by);
  if (key) {
    await keep({ ...lock, tries: 0 });
    opened = { keyId: lock.keyId, key };
    return { ok: true };
  }
  if (lock.tries >= TRIES_MAX) return erase(lock);
  return { ok: false, triesLeft: triesLeft(lock), waitMs: waitAfterMs(lock.tries) };
}

/** @param {string} pin @param {Bytes} salt */
async function stretched(pin, salt) {
  try {
    return await stretch(pin, salt);
  } catch (error) {
    if (error instanceof ActivationRefused) throw new CoreError('out_of_memory');
    throw error;
  }
}

/** @param {PinLock} lock @returns {Promise<{ erased: true }>} */
async function erase({ keyId }) {
  await keep({ kind: 'pin', keyId, erased: true });
  opened = null;
  return { erased: true };
}

/** @template {Lock} L @param {L} lock @returns {Promise<L>} */
async function keep(lock) {
  await transact('readwrite', (transaction) => transaction.set(LOCK, lock));
  return lock;
}

/**
 * Changes the lock: a new sealing key, and every token sealed anew, at once or not at all.
 *
 * @param {import('./types.js').NewLock} asked
 * @returns {Promise<{ ok: true } | { refused: import('./types.js').LockRefusal }>}
 */
export async function setLock(asked) {
  if (asked.kind === 'pin') {
    const refused = await judgedPin(asked.pin);
    if (refused) return { refused };
  }
  return alone('lock', () =>
    alone('tokens', async () => {
      const lock = await currentLock();
      if ('erased' in lock) return { refused: 'erased' };
      if (await isLocked()) return { refused: 'locked' };
      try {
        await exchange(await sealingKey(), asked);
        return { ok: true };
      } catch (error) {
        if (error instanceof CoreError && error.code === 'out_of_memory') return { refused: error.code };
        throw error;
      }
    }),
  );
}

/**
 * A PIN is chosen by the rules of the activation password.
 *
 * @param {string} typed
 * @returns {Promise<import('./types.js').LockRefusal | null>}
 */
async function judgedPin(typed) {
  const nobody = { loginId: '', mailAddress: '' };
  const { refusal } = await judgePassword(normalisedDigits(typed), { min: 4, max: 8 }, nobody);
  const name = refusal?.replace(/^activation_password_/u, 'pin_');
  return /** @type {import('./types.js').LockRefusal | undefined} */ (name) ?? null;
}

/** @param {SealingKey} old @param {import('./types.js').NewLock} asked */
async function exchange(old, asked) {
  const { lock, key } = await newLock(asked);
  const tokens = await transact('readonly', (transaction) => transaction.tokens());
  for (const token of tokens) {
    for (const [what, sealed] of Object.entries(token.sealed)) {
      const bytes = await unseal(old.key, token.id, what, sealed);
      token.sealed[/** @type {keyof typeof token.sealed} */ (what)] = await seal(key, token.id, what, bytes);
    }
  }
  await transact('readwrite', async (transaction) => {
    for (const token of tokens) await transaction.put(token);
    await transaction.set(LOCK, lock);
  });
  opened = { keyId: lock.keyId, key };
}

/**
 * @param {import('./types.js').NewLock} asked
 * @returns {Promise<{ lock: Lock, key: CryptoKey }>}
 */
async function newLock(asked) {
  if (asked.kind === 'none') {
    const first = await newKey(false);
    return { lock: { kind: 'none', ...first }, key: first.key };
  }
  const { keyId, key: wrappable } = await newKey(true);
  const salt = randomBytes(SALT_BYTES);
  if (asked.kind === 'pin') {
    const pepper = await newPepper();
    const by = await keyOfPin(await stretched(normalisedDigits(asked.pin), salt), pepper, salt);
    const { wrapped, key } = await sealedBy(wrappable, keyId, by);
    return { lock: { kind: 'pin', keyId, wrapped, salt, pepper, tries: 0, lastTryAtMs: 0 }, key };
  }
  const { credentialId, salt: prfSalt } = asked;
  const { wrapped, key } = await sealedBy(wrappable, keyId, await keyOfDevice(asked.prf, salt));
  return { lock: { kind: 'device', keyId, wrapped, salt, credentialId, prfSalt }, key };
}

/** @param {boolean} wrappable @returns {Promise<SealingKey>} */
async function newKey(wrappable) {
  return { keyId: crypto.randomUUID(), key: await newSealingKey(wrappable) };
}

/**
 * The key as it is kept, and as one that cannot be read any more. Opening it shows that the lock can be opened.
 *
 * @param {CryptoKey} wrappable
 * @param {string} keyId
 * @param {CryptoKey} by
 */
async function sealedBy(wrappable, keyId, by) {
  const wrapped = await wrap(wrappable, keyId, by);
  const key = await unwrap(wrapped, keyId, by);
  if (!key) throw new CoreError('internal');
  return { wrapped, key };
}
