// @ts-check
// What this device keeps: one database with the tokens and the settings, locks that hold over all tabs, and a marker outside the
// database by which its loss is noticed. What is sealed, and with what, is not known here.

import { CoreError } from './errors.js';

const DATABASE = 'warifu';
const DATABASE_VERSION = 1;
const TOKENS = 'tokens';
const SETTINGS = 'settings';

/** A cache of its own, so that a new version of the app, which clears the old one's files, never clears it. */
const MARKER_CACHE = 'warifu-marker';
const MARKER_PATH = '/app/marker';

/**
 * @typedef {{ iv: Uint8Array<ArrayBuffer>, data: Uint8Array<ArrayBuffer> }} Sealed
 *
 * @typedef {object} Token
 * @property {string} id
 * @property {number} position from 0, without gaps
 * @property {string} serviceId
 * @property {string} tokenUserId
 * @property {string | null} name
 * @property {import('./types.js').TokenState} state
 * @property {Partial<Record<'started' | 'pending' | 'seed' | 'device', Sealed>>} sealed under the one sealing key
 * @property {Activated | null} activated
 * @property {Standing | null} standing
 * @property {import('./clock.js').Clock | null} clock
 *
 * @typedef {{ tokenId: string, algorithm: 'SHA-1' | 'SHA-256' | 'SHA-512', digits: number, stepS: number }} Activated
 *
 * @typedef {object} Standing what the server signed, and when it came
 * @property {import('./types.js').Standing} standing
 * @property {number | null} sinceMs
 * @property {{ ja: string, en: string }} serviceName
 * @property {string} userName
 * @property {string} helpDesk
 * @property {number | null} expiresAtMs
 * @property {number | null} renewableFromMs
 * @property {number} checkedAtMs by this device's clock
 */

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new CoreError('storage'));
  });
}

/** @type {Promise<IDBDatabase> | undefined} */
let opening;

/** The database, opened once. A browser that lost it, or does not let it open, is asked again by the next call. */
function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, DATABASE_VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(TOKENS, { keyPath: 'id' }).createIndex('position', 'position');
      request.result.createObjectStore(SETTINGS);
    };
    request.onsuccess = () => {
      const forget = () => (opening = undefined);
      request.result.onclose = forget;
      // A newer version of the app wants to change the database: it must not wait for this tab.
      request.result.onversionchange = () => {
        request.result.close();
        forget();
      };
      resolve(request.result);
    };
    request.onerror = request.onblocked = () => reject(new CoreError('storage'));
  });
  opening.catch(() => (opening = undefined));
  return opening;
}

/** What a transaction can do. Nothing else may be awaited in it: it would end. */
class Transaction {
  #tokens;
  #settings;

  /** @param {IDBTransaction} transaction */
  constructor(transaction) {
    this.#tokens = transaction.objectStore(TOKENS);
    this.#settings = transaction.objectStore(SETTINGS);
  }

  /** @returns {Promise<Token[]>} in their order */
  tokens() {
    return result(this.#tokens.index('position').getAll());
  }

  /** @param {string} id @returns {Promise<Token | undefined>} */
  token(id) {
    return result(this.#tokens.get(id));
  }

  /** @param {Token} token */
  put(token) {
    return result(this.#tokens.put(token));
  }

  /** @param {string} id */
  remove(id) {
    return result(this.#tokens.delete(id));
  }

  /** @param {string} name @returns {Promise<any>} undefined when it was never set */
  setting(name) {
    return result(this.#settings.get(name));
  }

  /** @param {string} name @param {unknown} value */
  set(name, value) {
    return result(this.#settings.put(value, name));
  }

  async clear() {
    await Promise.all([result(this.#tokens.clear()), result(this.#settings.clear())]);
  }
}

/**
 * One transaction. When the promise of a `readwrite` is kept, what was written is on the disk: whatever must precede a
 * message does.
 *
 * @template T
 * @param {'readonly' | 'readwrite'} mode
 * @param {(transaction: Transaction) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function transact(mode, work) {
  const transaction = await begun(mode);
  const ended = new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(undefined);
    transaction.onabort = () => reject(new CoreError('storage'));
  });
  try {
    const value = await work(new Transaction(transaction));
    await ended;
    return value;
  } catch (error) {
    try {
      transaction.abort();
    } catch {
      // It has ended by itself.
    }
    await ended.catch(() => {});
    throw error;
  }
}

/** @param {'readonly' | 'readwrite'} mode */
async function begun(mode) {
  const begin = async () => (await database()).transaction([TOKENS, SETTINGS], mode, { durability: 'strict' });
  try {
    return await begin();
  } catch (error) {
    if (error instanceof CoreError) throw error;
    // The connection was closed since: by a newer version, or because somebody cleared the site's data.
    opening = undefined;
    return begin();
  }
}

/** Every token, in their order. */
export function allTokens() {
  return transact('readonly', (transaction) => transaction.tokens());
}

/**
 * Changes one token, unless it is gone.
 *
 * @param {string} id
 * @param {(token: Token) => void} change
 */
export function changeToken(id, change) {
  return transact('readwrite', async (transaction) => {
    const token = await transaction.token(id);
    if (!token) throw new CoreError('not_found');
    change(token);
    await transaction.put(token);
  });
}

/**
 * Puts the tokens in another order, or takes some away.
 *
 * @param {(tokens: Token[]) => Token[]} arrange
 */
export function arrangeTokens(arrange) {
  return transact('readwrite', async (transaction) => {
    const before = await transaction.tokens();
    const after = arrange([...before]);
    for (const { id } of before.filter((token) => !after.includes(token))) await transaction.remove(id);
    for (const [position, token] of after.entries()) {
      if (token.position !== position) await transaction.put({ ...token, position });
    }
  });
}

/** @param {string} id */
export async function removeToken(id) {
  await alone('tokens', () => arrangeTokens((tokens) => tokens.filter((token) => token.id !== id)));
  await mark();
}

/**
 * Runs alone among all tabs. In this order, when several are taken: `activation` or `lock`, then `tokens`.
 *
 * @template T
 * @param {'activation' | 'lock' | 'tokens'} what
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function alone(what, work) {
  return navigator.locks.request(`warifu-${what}`, work);
}

/**
 * Notes outside the database how many tokens it holds. Without the marker the app works as well: only a loss is not noticed.
 *
 * @returns {Promise<void>}
 */
export async function mark() {
  try {
    const marker = await transact('readwrite', async (transaction) => ({
      database: await databaseId(transaction),
      tokens: (await transaction.tokens()).length,
    }));
    const cache = await caches.open(MARKER_CACHE);
    await cache.put(MARKER_PATH, new Response(JSON.stringify(marker)));
  } catch {
    // See above.
  }
}

/** Whether there were tokens on this device, in a database that is gone. @returns {Promise<boolean>} */
export async function evicted() {
  try {
    const found = await caches.match(MARKER_PATH, { cacheName: MARKER_CACHE });
    const marker = await found?.json();
    if (!marker || marker.tokens === 0) return false;
    // A count that differs tells nothing: the app may have been ended between the two.
    return marker.database !== (await transact('readwrite', databaseId));
  } catch (error) {
    if (error instanceof CoreError) throw error;
    return false;
  }
}

/** Erases everything. */
export async function eraseAll() {
  await transact('readwrite', (transaction) => transaction.clear());
  await caches.delete(MARKER_CACHE).catch(() => false);
}

/** A random name of this database, which a new one does not have. @param {Transaction} transaction @returns {Promise<string>} */
async function databaseId(transaction) {
  const known = await transaction.setting('database');
  if (known) return known;
  const id = crypto.randomUUID();
  await transaction.set('database', id);
  return id;
}
