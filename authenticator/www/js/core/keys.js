// @ts-check
// The cryptography of what is kept, all of it the browser's: sealing under one key, and the keys that seal that one. Secrets
// become keys that nobody can read wherever the browser can make them so.

const AES = 'AES-GCM';
const IV_BYTES = 12;
const KEY_BITS = 256;
const FORMAT = 'warifu-app/1';

/** @typedef {import('./store.js').Sealed} Sealed */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/** What the sealing key is used for. */
const SEALING = /** @type {KeyUsage[]} */ (['encrypt', 'decrypt', 'unwrapKey']);

const text = new TextEncoder();

/** @param {number} length @returns {Bytes} */
export function randomBytes(length) {
  return crypto.getRandomValues(new Uint8Array(length));
}

/**
 * What a sealed thing is, so that none can be put in another's place.
 *
 * @param {string} whose a token's id, or the name of a sealing key
 * @param {string} what
 */
function named(whose, what) {
  return text.encode([FORMAT, whose, what].join('|'));
}

/** @param {Bytes} iv @param {Bytes} additionalData */
function aes(iv, additionalData) {
  return { name: AES, iv, additionalData };
}

/**
 * A new sealing key.
 *
 * @param {boolean} wrappable it is going to be kept wrapped; otherwise it can never leave the browser
 */
export function newSealingKey(wrappable) {
  return crypto.subtle.generateKey({ name: AES, length: KEY_BITS }, wrappable, SEALING);
}

/** A key that stays in this browser and takes part in opening the PIN's lock: a copy of the files alone is not enough. */
export function newPepper() {
  return crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256', length: KEY_BITS }, false, ['sign']);
}

/**
 * @param {CryptoKey} key
 * @param {string} tokenId
 * @param {string} what
 * @param {Bytes} bytes wiped
 * @returns {Promise<Sealed>}
 */
export async function seal(key, tokenId, what, bytes) {
  const iv = randomBytes(IV_BYTES);
  const data = await crypto.subtle.encrypt(aes(iv, named(tokenId, what)), key, bytes);
  bytes.fill(0);
  return { iv, data: new Uint8Array(data) };
}

/**
 * @param {CryptoKey} key
 * @param {string} tokenId
 * @param {string} what
 * @param {Sealed} sealed
 */
export async function unseal(key, tokenId, what, { iv, data }) {
  return new Uint8Array(await crypto.subtle.decrypt(aes(iv, named(tokenId, what)), key, data));
}

/**
 * A sealed secret as an HMAC key that cannot be read: the secret itself never comes to us.
 *
 * @param {CryptoKey} key
 * @param {string} tokenId
 * @param {'seed' | 'device'} what
 * @param {Sealed} sealed
 * @param {string} hash
 */
export function unsealHmacKey(key, tokenId, what, { iv, data }, hash) {
  const usages = /** @type {KeyUsage[]} */ (what === 'seed' ? ['sign'] : ['sign', 'verify']);
  return crypto.subtle.unwrapKey('raw', data, key, aes(iv, named(tokenId, what)), { name: 'HMAC', hash }, false, usages);
}

/**
 * @param {CryptoKey} sealingKey
 * @param {string} keyId its name
 * @param {CryptoKey} by
 * @returns {Promise<Sealed>}
 */
export async function wrap(sealingKey, keyId, by) {
  const iv = randomBytes(IV_BYTES);
  const data = await crypto.subtle.wrapKey('raw', sealingKey, by, aes(iv, named(keyId, 'sealing key')));
  return { iv, data: new Uint8Array(data) };
}

/**
 * @param {Sealed} wrapped
 * @param {string} keyId
 * @param {CryptoKey} by
 * @returns {Promise<CryptoKey | null>} null when it was wrapped by another key
 */
export async function unwrap({ iv, data }, keyId, by) {
  const algorithm = aes(iv, named(keyId, 'sealing key'));
  try {
    return await crypto.subtle.unwrapKey('raw', data, by, algorithm, AES, false, SEALING);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'OperationError') return null;
    throw error;
  }
}

/**
 * The key that a PIN opens with.
 *
 * @param {Bytes} stretched the PIN after Argon2id; wiped
 * @param {CryptoKey} pepper
 * @param {Bytes} salt
 */
export async function keyOfPin(stretched, pepper, salt) {
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', pepper, stretched));
  const both = new Uint8Array(stretched.length + mac.length);
  both.set(stretched);
  both.set(mac, stretched.length);
  stretched.fill(0);
  mac.fill(0);
  return derive(both, salt, 'pin');
}

/**
 * The key that the device's user verification opens with.
 *
 * @param {Bytes} prf the output of the passkey's PRF; wiped
 * @param {Bytes} salt
 */
export function keyOfDevice(prf, salt) {
  return derive(prf, salt, 'device');
}

/** @param {Bytes} secret wiped @param {Bytes} salt @param {string} use */
async function derive(secret, salt, use) {
  const input = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey']);
  secret.fill(0);
  const algorithm = { name: 'HKDF', hash: 'SHA-256', salt, info: named('lock', use) };
  return crypto.subtle.deriveKey(algorithm, input, { name: AES, length: KEY_BITS }, false, ['wrapKey', 'unwrapKey']);
}
