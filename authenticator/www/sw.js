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
const KEPT = new Set(files.map(([path]) => path));

async function install() {
  const cache = await caches.open(CACHE);
  await Promise.all(
    files.map(async ([path, integrity]) => {
      // Asks the server whether the browser's copy is still the same one: what was loaded a moment ago is not loaded again.
      const answer = await fetch(path, { integrity, cache: 'no-cache' });
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      await cache.put(path, answer);
    }),
  );
}

async function forgetOlder() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(CACHE_PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/** @param {string} path @param {Request} request */
async function kept(path, request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(path)) ?? fetch(request);
}

worker.addEventListener('install', (event) => event.waitUntil(install()));
worker.addEventListener('activate', (event) => event.waitUntil(forgetOlder()));

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  const path = request.mode === 'navigate' && url.pathname.startsWith(PAGE) ? PAGE : url.pathname;
  if (KEPT.has(path)) event.respondWith(kept(path, request));
});

worker.addEventListener('message', ({ data }) => {
  if (data === 'take over') worker.skipWaiting();
});
