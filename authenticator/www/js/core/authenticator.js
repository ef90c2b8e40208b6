// @ts-check
// The page's side of the core: every call is a message to the one worker, and a promise of its answer. Nothing of a token is
// here but what the worker tells to be shown.

import { CoreError } from './errors.js';

export { CoreError };

/** @typedef {import('./types.js').Stage} Stage */

/**
 * @typedef {object} Waiting
 * @property {(value: any) => void} resolve
 * @property {(error: CoreError) => void} reject
 * @property {((stage: Stage) => void) | undefined} onStage
 */

/** The tokens of this device. */
export class Authenticator {
  /** @type {Map<number, Waiting>} */
  #waiting = new Map();
  /** @type {Map<import('./types.js').CoreEvent, Set<() => void>>} */
  #listeners = new Map();
  #lastId = 0;
  /** @type {Worker | null} started by the first call */
  #worker = null;

  /**
   * @param {import('./types.js').CoreEvent} event
   * @param {() => void} listener
   * @returns {() => void} takes the listener away again
   */
  on(event, listener) {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Ends the worker. What it had begun goes on with what was kept, the next time. */
  close() {
    this.#end('internal');
  }

  /** Everything that the first screen needs. @returns {Promise<import('./types.js').Opened>} */
  open() {
    return this.#call('open');
  }

  /** @param {import('./types.js').UnlockWith} secret @returns {Promise<import('./types.js').Unlocked>} */
  unlock(secret) {
    return this.#call('unlock', secret);
  }

  /** Forgets the keys, here and in every other tab. Does nothing while there is no lock. @returns {Promise<void>} */
  lock() {
    return this.#call('lock');
  }

  /**
   * Changes what opens the app; every token is sealed anew.
   *
   * @param {import('./types.js').NewLock} lock
   * @returns {Promise<{ ok: true } | { refused: import('./types.js').LockRefusal }>}
   */
  setLock(lock) {
    return this.#call('setLock', lock);
  }

  /** Erases every token, key and setting of this device. @returns {Promise<void>} */
  startOver() {
    return this.#call('startOver');
  }

  /** @returns {Promise<import('./types.js').TokenView[]>} */
  tokens() {
    return this.#call('tokens');
  }

  /**
   * Judges what is typed before anything is sent (R48).
   *
   * @param {{ serviceId: string, tokenUserId: string }} typed
   * @returns {Promise<import('./types.js').CheckedIds>}
   */
  checkIds({ serviceId, tokenUserId }) {
    return this.#call('checkIds', { serviceId, tokenUserId });
  }

  /**
   * Activates a token, or takes up the unfinished one of the same ids.
   *
   * @param {{ serviceId: string, tokenUserId: string, password: string }} typed
   * @param {(stage: Stage) => void} [onStage]
   * @returns {Promise<import('./types.js').Activated>}
   */
  begin({ serviceId, tokenUserId, password }, onStage) {
    return this.#call('begin', { serviceId, tokenUserId, password }, onStage);
  }

  /**
   * Goes on with an unfinished activation. Another password than the first one begins it anew.
   *
   * @param {string} id
   * @param {{ password?: string }} [typed]
   * @param {(stage: Stage) => void} [onStage]
   * @returns {Promise<import('./types.js').Activated>}
   */
  resume(id, { password } = {}, onStage) {
    return this.#call('resume', { id, password }, onStage);
  }

  /** @param {string} id @returns {Promise<import('./types.js').CodeNow>} */
  code(id) {
    return this.#call('code', { id });
  }

  /**
   * Asks the server for the standing of every active token, or of one, and measures the clock by the answers.
   *
   * @param {string} [id]
   * @returns {Promise<{ reached: boolean }>} whether an answer came that a token's server has signed
   */
  refresh(id) {
    return this.#call('refresh', { id });
  }

  /** Asks the server to let the token live longer. @param {string} id @returns {Promise<import('./types.js').Renewed>} */
  renew(id) {
    return this.#call('renew', { id });
  }

  /**
   * @param {string} id
   * @param {string | null} name 1 to 40 characters; null for none
   * @returns {Promise<import('./types.js').Renamed>}
   */
  rename(id, name) {
    return this.#call('rename', { id, name });
  }

  /** @param {string} id @param {number} position from 0 @returns {Promise<void>} */
  move(id, position) {
    return this.#call('move', { id, position });
  }

  /** Takes a token out for good. What the server knows is not changed by it. @param {string} id @returns {Promise<void>} */
  remove(id) {
    return this.#call('remove', { id });
  }

  /** @param {import('./types.js').Settings} partial what changes @returns {Promise<import('./types.js').Settings>} all of them */
  setSettings(partial) {
    return this.#call('setSettings', partial);
  }

  /** Whether the browser has promised not to clear what the app keeps. @returns {Promise<boolean>} */
  persisted() {
    return this.#call('persisted');
  }

  /**
   * @param {string} op
   * @param {object} [input]
   * @param {(stage: Stage) => void} [onStage]
   * @returns {Promise<any>}
   */
  #call(op, input = {}, onStage) {
    const { promise, resolve, reject } = deferred();
    this.#lastId += 1;
    this.#waiting.set(this.#lastId, { resolve, reject, onStage });
    this.#worker ??= this.#started();
    this.#worker.postMessage({ id: this.#lastId, op, input });
    return promise;
  }

  #started() {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    worker.addEventListener('message', ({ data }) => this.#take(data));
    // Its script, or one that it imports, did not come: nothing will be answered. The next call tries again.
    worker.addEventListener('error', () => this.#end('not_loaded'));
    return worker;
  }

  /** @param {import('./worker.js').Message} message */
  #take(message) {
    if ('event' in message) {
      for (const listener of this.#listeners.get(message.event) ?? []) listener();
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if ('stage' in message) {
      waiting?.onStage?.(message.stage);
      return;
    }
    this.#waiting.delete(message.id);
    if ('error' in message) waiting?.reject(new CoreError(message.error));
    else waiting?.resolve(message.value);
  }

  /** @param {import('./types.js').CoreErrorCode} code what the calls that wait are told */
  #end(code) {
    this.#worker?.terminate();
    this.#worker = null;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new CoreError(code));
  }
}

/** A promise that is kept from outside: not every browser has `Promise.withResolvers` yet. */
function deferred() {
  /** @type {(value: any) => void} */
  let resolve = () => {};
  /** @type {(error: CoreError) => void} */
  let reject = () => {};
  const promise = new Promise((kept, broken) => {
    resolve = kept;
    reject = broken;
  });
  return { promise, resolve, reject };
}
