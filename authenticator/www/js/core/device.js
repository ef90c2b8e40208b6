// @ts-check
// What an active token asks of its server (docs/protocol.md, device messages): its standing, a longer life. Both sides prove each
// message with the device key, so that nobody in between can make a token look revoked, or a clock look right.

import { post } from './net.js';

const MEDIA_TYPE = 'application/vnd.warifu.device+json';
const ANSWER_BYTES_MAX = 16_384;
const NONCE_BYTES = 16;
const PROOF = 'Warifu-Proof';
const STANDINGS = ['activated', 'in_use', 'suspended', 'revoked', 'expired'];

/** @typedef {'status' | 'renew'} Question */
/** @typedef {Omit<import('./store.js').Standing, 'checkedAtMs'> & { serverTimeMs: number }} Told */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

const text = new TextEncoder();

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {string} hex @returns {Bytes | null} */
function proofBytes(hex) {
  if (!/^[0-9a-f]{64}$/u.test(hex)) return null;
  return Uint8Array.from({ length: hex.length / 2 }, (_, at) => parseInt(hex.slice(2 * at, 2 * at + 2), 16));
}

/**
 * What is proved: each part behind its length in two big-endian bytes.
 *
 * @param {(string | Uint8Array)[]} parts
 * @returns {Bytes}
 */
export function proved(...parts) {
  return Uint8Array.from(
    parts.flatMap((part) => {
      const bytes = typeof part === 'string' ? text.encode(part) : part;
      return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
    }),
  );
}

/**
 * @param {CryptoKey} deviceKey
 * @param {Question} question
 * @param {string} tokenId the server's name of the token
 * @param {string} nonce 32 lower-case hexadecimal digits
 */
export async function request(deviceKey, question, tokenId, nonce) {
  const body = text.encode(JSON.stringify({ token_id: tokenId, nonce }));
  const proof = await crypto.subtle.sign('HMAC', deviceKey, proved(`warifu/1 ${question} request`, body));
  return { body, proof: hex(new Uint8Array(proof)) };
}

/**
 * Reads an answer; one whose proof is not right is none.
 *
 * @param {CryptoKey} deviceKey
 * @param {Question} question
 * @param {string} tokenId
 * @param {string} nonce
 * @param {{ body: Uint8Array, proof: string }} answer
 * @returns {Promise<Told | null>}
 */
export async function answered(deviceKey, question, tokenId, nonce, { body, proof }) {
  const given = proofBytes(proof);
  if (!given) return null;
  const what = proved(`warifu/1 ${question} answer`, tokenId, nonce, body);
  if (!(await crypto.subtle.verify('HMAC', deviceKey, given, what))) return null;
  return told(JSON.parse(new TextDecoder().decode(body)));
}

/**
 * The members that are known; others may come with a later version.
 *
 * @param {any} json
 * @returns {Told | null}
 */
function told(json) {
  const time = (/** @type {unknown} */ value) => (Number.isSafeInteger(value) ? /** @type {number} */ (value) : null);
  const line = (/** @type {unknown} */ value) => (typeof value === 'string' ? value : '');
  const serverTimeMs = time(json?.server_time_ms);
  if (serverTimeMs === null || !STANDINGS.includes(json.standing)) return null;
  return {
    serverTimeMs,
    standing: json.standing,
    sinceMs: time(json.since_ms),
    serviceName: { ja: line(json.service_name?.ja), en: line(json.service_name?.en) },
    userName: line(json.user_name),
    helpDesk: line(json.help_desk),
    expiresAtMs: time(json.expires_at_ms),
    renewableFromMs: time(json.renewable_from_ms),
  };
}

/**
 * Asks the server.
 *
 * @param {CryptoKey} deviceKey
 * @param {Question} question
 * @param {string} tokenId
 * @returns {Promise<{ told: Told, answer: import('./net.js').Answer } | { problem: import('./net.js').Problem } | null>} null
 *   when nothing came that the server has signed
 */
export async function ask(deviceKey, question, tokenId) {
  const nonce = hex(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)));
  const { body, proof } = await request(deviceKey, question, tokenId, nonce);
  const reply = await post(`/device/v1/${question}`, body, {
    mediaType: MEDIA_TYPE,
    answerBytesMax: ANSWER_BYTES_MAX,
    headers: { [PROOF]: proof },
  });
  if (!reply || 'problem' in reply) return reply;
  const { answer } = reply;
  const signed = { body: answer.bytes, proof: answer.headers.get(PROOF) ?? '' };
  try {
    const told = await answered(deviceKey, question, tokenId, nonce, signed);
    return told && { told, answer };
  } catch {
    return null;
  }
}
