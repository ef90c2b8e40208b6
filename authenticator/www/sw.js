// @ts-check
/// <reference lib="webworker" />
// Keeps the app for offline use. One version is kept whole: its files are fetched with their hashes, and a version of which
// one file is not the expected one is not installed. A new version waits until the app says that it may take over.
//
// Never here: tokens. They are in the browser's database, and no version touches another's.

importScripts('/app/version.js');

const worker = /** @type {ServiceWorkerGlobalScope & { warifuApp: { version: string, files: [string, string][] } }} */ (
  /** @type {unknown} */ (self)
);
const { version, files } = worker.warifuApp;

const CACHE_PREFIX = 'warifu-app-';
const CACHE = CACHE_PREFIX + version;
const PAGE = '/app/';
/**
 * What nothing needs offline: the icons that the system takes when the app is installed, the types, and the reader of codes, for
 * whoever scans one is online to activate a token. Fetched when it is asked for, by its hash like everything.
 */
const NOT_NEEDED = /^\/app\/(img\/icon-|js\/core\/types\.js$|js\/vendor\/)/;
const needed = files.filter(([path]) => !NOT_NEEDED.test(path));
/** The hash of every file of this version, by its path. */
const INTEGRITY = new Map(files);

async function install() {
  const cache = await caches.open(CACHE);
  await Promise.all(
    needed.map(async ([path, integrity]) => {
      const answer = await fetched(path, integrity);
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      await cache.put(path, answer);
    }),
  );
}

/**
 * A file, as the hash says it is. What was loaded a moment ago is not asked for again; an older copy has another hash.
 *
 * @param {string} path @param {string} integrity
 */
async function fetched(path, integrity) {
  try {
    return await fetch(path, { integrity, cache: 'force-cache' });
  } catch {
    return fetch(path, { integrity, cache: 'reload' });
  }
}

async function forgetOlder() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(CACHE_PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/** The cache of this version, opened once. @type {Promise<Cache> | undefined} */
let opening;

/** A file of this version and of no other: when it is not kept and the server has another one, it is not there. @param {string} path */
async function ofThisVersion(path) {
  opening ??= caches.open(CACHE);
  const cache = await opening;
  return (await cache.match(path)) ?? fetched(path, INTEGRITY.get(path) ?? '');
}

worker.addEventListener('install', (event) => event.waitUntil(install()));
worker.addEventListener('activate', (event) => event.waitUntil(forgetOlder()));

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  const path = request.mode === 'navigate' && url.pathname.startsWith(PAGE) ? PAGE : url.pathname;
  if (INTEGRITY.has(path)) event.respondWith(ofThisVersion(path));
});

worker.addEventListener('message', (event) => {
  // It must not be stopped before it has taken over.
  if (event.data === 'take over') event.waitUntil(worker.skipWaiting());
});
