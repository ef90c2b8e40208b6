// @ts-check
// The clock (J7, R61): how far this device is off from a token's server, and whether that is known well enough to show a code.
// Pure: the times are arguments. Only times that a server has signed come here.

/** A clock that is off by more than this is told to its owner. */
export const WARN_MS = 20_000;

/** Below this nobody sees that a clock is off. */
const RIGHT_MS = 2_000;

/** How far the two clocks of this device may drift apart before one of them was changed. */
const JUMP_MS = 2_000;

/** How far the time may be behind one that has been, beside half of a trip: measuring is not exact. */
const BACKWARDS_SLACK_MS = 2_000;

/** How many of the last measures are kept. */
const MEASURES_MAX = 5;

/**
 * @typedef {object} Measure
 * @property {number} offsetMs what has to be added to this device's clock to get the server's
 * @property {number} tripMs how long question and answer took together: the offset may be wrong by half of it
 * @property {number} measuredAtMs by this device's clock
 *
 * @typedef {object} Clock what is kept for a token
 * @property {Measure} best
 * @property {Measure[]} last the oldest first
 * @property {number} serverTimeMs the last one that was signed
 */

/**
 * @param {{ sentAtMs: number, receivedAtMs: number, tripMs: number, serverTimeMs: number }} times `tripMs` is by a clock that
 *   nobody sets
 * @returns {Measure | null} null when the clock was set on the way
 */
export function measure({ sentAtMs, receivedAtMs, tripMs, serverTimeMs }) {
  if (Math.abs(receivedAtMs - sentAtMs - tripMs) > JUMP_MS) return null;
  const offsetMs = Math.round(serverTimeMs - (sentAtMs + tripMs / 2));
  return { offsetMs, tripMs: Math.round(tripMs), measuredAtMs: receivedAtMs };
}

/**
 * Takes a measure in. The one with the shortest trip of the last ones is the best, but a newer one that contradicts older ones is
 * right: the clock was set in between.
 *
 * @param {Clock | null} known
 * @param {Measure} measure
 * @param {number} serverTimeMs
 * @returns {Clock}
 */
export function withMeasure(known, measure, serverTimeMs) {
  const agrees = (/** @type {Measure} */ older) =>
    Math.abs(older.offsetMs - measure.offsetMs) <= (older.tripMs + measure.tripMs) / 2;
  const last = [...(known?.last ?? []).filter(agrees), measure].slice(-MEASURES_MAX);
  const best = last.reduce((best, next) => (next.tripMs <= best.tripMs ? next : best));
  return { best, last, serverTimeMs };
}

/**
 * Whether codes may be shown, and with which offset.
 *
 * @param {Clock | null} clock null while it was never measured
 * @param {{ offsetMs: number, sure: boolean, stepS: number, nowMs: number }} by `sure`: measured since the app was opened, and
 *   not set since; `nowMs`: by this device's clock
 * @returns {import('./types.js').ClockView}
 */
export function judge(clock, { offsetMs, sure, stepS, nowMs }) {
  if (!clock) return { state: 'unchecked', offsetMs: 0 };
  if (nowMs + offsetMs < clock.serverTimeMs - BACKWARDS_SLACK_MS - clock.best.tripMs / 2) {
    return { state: 'refused', reason: 'clock_backwards', offsetMs };
  }
  const off = Math.abs(offsetMs);
  // Somebody may have mended the clock since: then the old offset would make it wrong by as much.
  if (!sure && off > stepS * 1000) return { state: 'refused', reason: 'clock_unsure', offsetMs };
  if (off > WARN_MS) return { state: 'warn', offsetMs };
  return { state: off > RIGHT_MS ? 'corrected' : 'right', offsetMs };
}

/**
 * Watches this device's clock while the app is open, by the other one that nobody can set.
 *
 * That one may stand still while a phone sleeps, and then the clock seems to jump forwards by the length of the sleep, as if
 * somebody had set it: which of the two it was cannot be told. So a jump forwards only makes the offset unsure, as a new
 * start of the app does; a jump backwards can be nothing else than a clock that was set, and is corrected as well.
 */
export class ClockWatch {
  #now;
  #steady;
  #apartMs;
  /** @type {Map<string, { serverTimeMs: number | null, sure: boolean, correctionMs: number }>} */
  #seen = new Map();

  /**
   * @param {() => number} now this device's clock
   * @param {() => number} steady the one that nobody sets
   */
  constructor(now, steady) {
    this.#now = now;
    this.#steady = steady;
    this.#apartMs = now() - steady();
  }

  /** Looks at the clocks. */
  #look() {
    const jumpMs = this.#now() - this.#steady() - this.#apartMs;
    if (Math.abs(jumpMs) <= JUMP_MS) return;
    this.#apartMs += jumpMs;
    for (const seen of this.#seen.values()) {
      seen.sure = false;
      if (jumpMs < 0) seen.correctionMs -= jumpMs;
    }
  }

  /**
   * Notes that a clock was measured just now.
   *
   * @param {string} id the token's
   * @param {Clock} clock
   */
  measured(id, { serverTimeMs }) {
    this.#look();
    this.#seen.set(id, { serverTimeMs, sure: true, correctionMs: 0 });
  }

  /**
   * Judges a token's clock as it is kept now.
   *
   * @param {string} id
   * @param {Clock | null} clock
   * @param {number} stepS
   */
  judge(id, clock, stepS) {
    this.#look();
    const serverTimeMs = clock?.serverTimeMs ?? null;
    const before = this.#seen.get(id);
    const seen =
      before?.serverTimeMs === serverTimeMs
        ? before
        : // Kept before the app was opened; or, when another one was seen here, measured by another tab since.
          { serverTimeMs, sure: before !== undefined, correctionMs: 0 };
    this.#seen.set(id, seen);
    const offsetMs = (clock?.best.offsetMs ?? 0) + seen.correctionMs;
    return judge(clock, { offsetMs, sure: seen.sure, stepS, nowMs: this.#now() });
  }
}
