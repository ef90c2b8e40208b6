/**
 * Compares the clock of this device with the server's, and says how far it is off (J7).
 * Without scripts the page shows the server's time, to compare by eye.
 * @module
 */

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

/** "40 seconds", "3 minutes", "2 hours", "5 days", in the language of the page. */
function amount(/** @type {number} */ ms) {
  const seconds = Math.abs(ms) / 1000;
  /** @type {[number, string]} */
  const [size, unit] = seconds < 90 ? [1, 'second'] : seconds < 5400 ? [60, 'minute'] : seconds < 129_600 ? [3600, 'hour'] : [86_400, 'day'];
  const format = new Intl.NumberFormat(document.documentElement.lang, { style: 'unit', unit, unitDisplay: 'long' });
  return format.format(Math.round(seconds / size));
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
    verdict.textContent = (text ?? '').replace('%amount%', amount(offset));
    mend.textContent = right ? '' : (texts.mend ?? '');
    mend.hidden = right;
    section.dataset.state = right ? 'right' : 'wrong';
  } catch {
    verdict.textContent = texts.unknown ?? '';
    section.dataset.state = 'unknown';
  }
}

for (const section of document.querySelectorAll('[data-clock]')) check(/** @type {HTMLElement} */ (section));
