// @ts-check
// The rules of the app's PIN: how many wrong ones in a row, and how long to wait after each. Pure: the time is an argument.

/** Wrong PINs in a row after which the tokens are erased (NIST SP 800-63B, local tries). */
export const TRIES_MAX = 10;

/** The wrong PIN from which on the next one has to wait. */
const FREE_TRIES = 3;

/** How long after the fourth, the fifth .. wrong PIN, in seconds; after later ones as after the last. */
const WAITS_S = [30, 60, 120, 300, 600, 1800];

/** @typedef {{ tries: number, lastTryAtMs: number }} Tries wrong PINs in a row, and when the last one was judged */

/** @param {number} tries wrong ones in a row @returns {number} milliseconds until the next one is judged */
export function waitAfterMs(tries) {
  if (tries <= FREE_TRIES) return 0;
  return WAITS_S[Math.min(tries - FREE_TRIES, WAITS_S.length) - 1] * 1000;
}

/**
 * How much of the wait is left. A clock that was put back does not make it longer than it is: see {@link afterPutBack}.
 *
 * @param {Tries} tries
 * @param {number} nowMs
 */
export function waitLeftMs({ tries, lastTryAtMs }, nowMs) {
  return Math.max(0, Math.min(waitAfterMs(tries), lastTryAtMs + waitAfterMs(tries) - nowMs));
}

/**
 * The tries as they have to be kept when the clock was put back behind the last one: the wait counts from now on.
 *
 * @param {Tries} tries
 * @param {number} nowMs
 * @returns {Tries | null} null when it was not
 */
export function afterPutBack({ tries, lastTryAtMs }, nowMs) {
  return nowMs < lastTryAtMs ? { tries, lastTryAtMs: nowMs } : null;
}

/** What a person typed, as a phone's keyboard may have it. @param {string} typed */
export function normalisedDigits(typed) {
  return typed.normalize('NFKC').replace(/\s/gu, '');
}

/** @param {string} pin normalised */
export function isPin(pin) {
  return /^[0-9]{4,8}$/u.test(pin);
}
