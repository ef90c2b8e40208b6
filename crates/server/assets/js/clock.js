/**
 * Compares the clock of this device with the server's, and says how far it is off (J7).
 * Without scripts the page shows the server's time, to compare by eye.
 * @module
 */

import { amount } from './amount.js';

/** Off by less than this is right: a code is accepted a minute early or late. */
const RIGHT_WITHIN_MS = 10_000;
/** Asked so often; the quickest answer is the most exact one. */
const ROUNDS = 3;

/** @returns {Promise<number>} how far this device is ahead of the server, in milliseconds */
async function offsetMs(/** @type {string} */ url) {
  let best = { tripMs: Infinity, offsetMs: 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    const [sentAt, sentTick] = [Date.now(), performance.now()];
    const answer = await fetch(url, { cache: 'no-store', credentials: 'omit' });
    const tripMs = performance.now() - sentTick;
    if (!answer.ok) throw new Error(`time: ${answer.status}`);
    const { now_ms: serverMs } = await answer.json();
    if (tripMs < best.tripMs) best = { tripMs, offsetMs: sentAt + tripMs / 2 - serverMs };
  }
  return best.offsetMs;
}

async function check(/** @type {HTMLElement} */ section) {
  const verdict = /** @type {HTMLElement} */ (section.querySelector('[data-clock-verdict]'));
  const mend = /** @type {HTMLElement} */ (section.querySelector('[data-clock-mend]'));
  const texts = section.dataset;
  verdict.textContent = texts.checking ?? '';
  try {
    const offset = await offsetMs(texts.url ?? '');
    const right = Math.abs(offset) < RIGHT_WITHIN_MS;
    const text = right ? texts.right : offset > 0 ? texts.fast : texts.slow;
    verdict.textContent = (text ?? '').replace('%amount%', amount(offset, document.documentElement.lang));
    mend.textContent = right ? '' : (texts.mend ?? '');
    mend.hidden = right;
    section.dataset.state = right ? 'right' : 'wrong';
  } catch {
    verdict.textContent = texts.unknown ?? '';
    section.dataset.state = 'unknown';
  }
}

for (const section of document.querySelectorAll('[data-clock]')) check(/** @type {HTMLElement} */ (section));
