// @ts-check
// Talking to the server: one message there, one answer back, no cookies, no redirects, and nothing that is larger than it may be.

/** How long an answer may take. */
const ANSWER_MS_MAX = 20_000;
const PROBLEM_MEDIA_TYPE = 'application/problem+json';
/** A refusal with its sentence in Japanese is a few hundred bytes. */
const PROBLEM_BYTES_MAX = 8192;

/**
 * @typedef {{ bytes: Uint8Array<ArrayBuffer>, headers: Headers, sentAtMs: number, receivedAtMs: number, tripMs: number }} Answer
 *   `tripMs` is by the clock that nobody sets
 * @typedef {{ code: string, retryAfterS?: number }} Problem
 */

/**
 * Posts a message.
 *
 * @param {string} path
 * @param {Uint8Array<ArrayBuffer>} body
 * @param {{ mediaType: string, answerBytesMax: number, headers?: Record<string, string> }} how `mediaType`: of both messages
 * @returns {Promise<{ answer: Answer } | { problem: Problem } | null>} null when nobody answered who may: no network, a proxy's
 *   page, a server that fails. Then nothing has changed, and the same may be sent again
 */
export async function post(path, body, { mediaType, answerBytesMax, headers = {} }) {
  const sentAtMs = Date.now();
  const sentAt = performance.now();
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': mediaType, ...headers },
      body,
      credentials: 'omit',
      redirect: 'error',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    const type = response.headers.get('Content-Type')?.split(';')[0].trim().toLowerCase();
    if (response.status === 200 && type === mediaType) {
      const bytes = await read(response, answerBytesMax);
      const times = { sentAtMs, receivedAtMs: Date.now(), tripMs: performance.now() - sentAt };
      return { answer: { bytes, headers: response.headers, ...times } };
    }
    if (response.status >= 400 && response.status < 500 && type === PROBLEM_MEDIA_TYPE) {
      return problem(response, await read(response, PROBLEM_BYTES_MAX));
    }
  } catch {
    // No network, too late, too large, or no JSON.
  }
  return null;
}

/** @param {Response} response @param {Uint8Array} bytes */
function problem(response, bytes) {
  const { code } = JSON.parse(new TextDecoder().decode(bytes));
  if (typeof code !== 'string' || !/^[a-z0-9_]{1,64}$/u.test(code)) return null;
  const retryAfter = response.headers.get('Retry-After') ?? '';
  return { problem: /^[0-9]{1,6}$/u.test(retryAfter) ? { code, retryAfterS: Number(retryAfter) } : { code } };
}

/** @param {Response} response @param {number} bytesMax */
async function read(response, bytesMax) {
  const bytes = new Uint8Array(bytesMax);
  let length = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done || !value) return bytes.slice(0, length);
    if (length + value.length > bytesMax) {
      await reader?.cancel();
      throw new RangeError('the answer is too large');
    }
    bytes.set(value, length);
    length += value.length;
  }
}
