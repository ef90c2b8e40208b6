// @ts-check
// The core of the phone app: a module worker that holds all of it. It answers the calls of `authenticator.js`, and tells the other tabs
// when something changed. No secret of a token leaves it but the code that is to be shown.

import { begin, resume } from './activation.js';
import { CoreError } from './errors.js';
import { currentLock, forgetKey, isLocked, setLock, triesLeft, unlock, unlockWaitMs } from './lock.js';
import { allTokens, alone, eraseAll, evicted, transact } from './store.js';
import { code, forgetCodes, move, refresh, remove, rename, renew, views } from './tokens.js';
import { checkIds, load } from './wasm.js';

/**
 * @typedef {{ id: number, op: keyof typeof OPERATIONS, input: any }} Call
 * @typedef {{ id: number, value: unknown } | { id: number, error: import('./types.js').CoreErrorCode }
 *   | { id: number, stage: import('./types.js').Stage } | { event: import('./types.js').CoreEvent }} Message
 */

const SETTINGS = 'settings';

/** The other tabs. */
const tabs = new BroadcastChannel('warifu-app');

/** @param {Message} message */
function toPage(message) {
  self.postMessage(message);
}

/** Tells this page and every other tab. @param {import('./types.js').CoreEvent} event */
function announce(event) {
  toPage({ event });
  tabs.postMessage(event);
}

tabs.addEventListener('message', (/** @type {MessageEvent<import('./types.js').CoreEvent>} */ { data: event }) => {
  if (event === 'locked') forgetAll();
  toPage({ event });
});

/** Forgets everything that must not be here while the app is locked. */
function forgetAll() {
  forgetKey();
  forgetCodes();
}

/** @returns {Promise<import('./types.js').Settings>} */
async function settings() {
  return (await transact('readonly', (transaction) => transaction.setting(SETTINGS))) ?? {};
}

/** @param {any} value */
const isTime = (value) => Number.isFinite(value) && value >= 0;

/** What each setting may be; nothing else is kept. @type {Record<keyof import('./types.js').Settings, (value: any) => boolean>} */
const ALLOWED = {
  language: (value) => typeof value === 'string' && /^[A-Za-z0-9-]{2,35}$/u.test(value),
  hidden: (value) => typeof value === 'boolean',
  lockAfterS: isTime,
};

/** What the page may ask for; each takes the call's input and tells its stages. */
const OPERATIONS = {
  /** @returns {Promise<import('./types.js').Opened>} */
  async open() {
    const lock = await currentLock();
    const locked = await isLocked();
    // Wanted for the first code, and fetched while the page is still being made.
    load().catch(() => {});
    return {
      lock: lock.kind,
      locked,
      ...(lock.kind === 'device' ? { credentialId: lock.credentialId, salt: lock.prfSalt } : {}),
      triesLeft: triesLeft(lock),
      waitMs: unlockWaitMs(lock),
      tokens: locked ? [] : await views(),
      count: (await allTokens()).length,
      evicted: await evicted(),
      erased: 'erased' in lock,
      settings: await settings(),
    };
  },

  /** @param {import('./types.js').UnlockWith} secret */
  async unlock(secret) {
    const outcome = await unlock(secret);
    if ('erased' in outcome) {
      // In the other tabs too: what they would seal now could never be opened again.
      forgetAll();
      announce('locked');
    }
    return outcome;
  },

  async lock() {
    if ((await currentLock()).kind === 'none') return;
    forgetAll();
    announce('locked');
  },

  /** @param {import('./types.js').NewLock} asked */
  async setLock(asked) {
    const done = await setLock(asked);
    if ('ok' in done) {
      forgetCodes();
      // The other tabs hold a key that opens nothing any more.
      tabs.postMessage('locked');
      announce('changed');
    }
    return done;
  },

  async startOver() {
    await alone('lock', () => alone('tokens', eraseAll));
    forgetAll();
    announce('changed');
  },

  tokens: () => views(),

  /** @param {{ serviceId: string, tokenUserId: string }} typed */
  checkIds: ({ serviceId, tokenUserId }) => checkIds(serviceId, tokenUserId),

  /**
   * @param {{ serviceId: string, tokenUserId: string, password: string }} typed
   * @param {import('./activation.js').OnStage} onStage
   */
  begin: (typed, onStage) => activated(begin(typed, onStage)),

  /**
   * @param {{ id: string, password?: string }} typed
   * @param {import('./activation.js').OnStage} onStage
   */
  resume: ({ id, password }, onStage) => activated(resume(id, password, onStage)),

  /** @param {{ id: string }} which */
  code: ({ id }) => code(id),

  /** @param {{ id?: string }} which */
  async refresh({ id }) {
    const { reached, changed } = await refresh(id);
    if (changed) announce('changed');
    return { reached };
  },

  /** @param {{ id: string }} which */
  renew: ({ id }) => changing(renew(id)),

  /** @param {{ id: string, name: string | null }} how */
  rename: ({ id, name }) => changing(rename(id, name)),

  /** @param {{ id: string, position: number }} where */
  move: ({ id, position }) => changing(move(id, position)),

  /** @param {{ id: string }} which */
  remove: ({ id }) => changing(remove(id)),

  /** @param {import('./types.js').Settings} partial */
  setSettings(partial) {
    const allowed = Object.entries(ALLOWED).flatMap(([name, isAllowed]) => {
      const value = partial[/** @type {keyof typeof partial} */ (name)];
      return isAllowed(value) ? [[name, value]] : [];
    });
    const changed = transact('readwrite', async (transaction) => {
      const all = { ...(await transaction.setting(SETTINGS)), ...Object.fromEntries(allowed) };
      await transaction.set(SETTINGS, all);
      return all;
    });
    return changing(changed);
  },

  async persisted() {
    return (await navigator.storage?.persisted?.()) ?? false;
  },
};

/** @template T @param {Promise<T>} doing @returns {Promise<T>} */
async function changing(doing) {
  const done = await doing;
  announce('changed');
  return done;
}

/** @param {Promise<import('./types.js').Activated>} doing */
async function activated(doing) {
  const outcome = await changing(doing);
  // The first signed time, so that the first code is shown by a right clock; a network that fails here is no failure.
  if ('done' in outcome) OPERATIONS.refresh({ id: outcome.done }).catch(() => {});
  return outcome;
}

/** @param {unknown} error @returns {import('./types.js').CoreErrorCode} */
function codeOf(error) {
  if (error instanceof CoreError) return error.code;
  const noRoom = error instanceof DOMException && error.name === 'QuotaExceededError';
  return noRoom ? 'storage' : 'internal';
}

self.addEventListener('message', async (/** @type {MessageEvent<Call>} */ { data: { id, op, input } }) => {
  try {
    const onStage = (/** @type {import('./types.js').Stage} */ stage) => toPage({ id, stage });
    toPage({ id, value: await OPERATIONS[op](/** @type {any} */ (input), onStage) });
  } catch (error) {
    toPage({ id, error: codeOf(error) });
  }
});
