// R24, R45: the secrets of the phone app are looked for in everything that it sends, shows and keeps; and what a copy of the
// browser's profile gives away (docs/threat-model.md).
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AppCore } from '../../support/app_core.js';
import { expect, test } from '../../support/app_test.js';
import { filesBelow } from '../../support/machine.js';
import { databaseFiles, openedByBytesOf } from '../../support/profile.js';
import { Proxy } from '../../support/proxy.js';
import { found } from '../../support/secrets.js';
import { theSeedOf } from '../../support/seeds.js';

/** Both long enough not to be found by chance. */
const PIN = '60481735';
const ACTIVATION_PASSWORD = '50719386';

/** Everything that a script of the app's origin can read of what is kept. @param {import('@playwright/test').Page} page */
function readable(page) {
  return page.evaluate(async () => {
    /** @type {string[]} */
    const bytes = [];
    /** @type {string[]} */
    const texts = [...Object.entries(localStorage), ...Object.entries(sessionStorage)].flat();
    let keys = 0;
    const walk = async (/** @type {any} */ value) => {
      if (value instanceof CryptoKey) {
        keys += 1;
        if (value.extractable || (await crypto.subtle.exportKey('raw', value).then(() => true, () => false))) throw new Error('a key can be read');
      } else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
        const view = value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
        bytes.push(Array.from(view, (byte) => byte.toString(16).padStart(2, '0')).join(''));
      } else if (value && typeof value === 'object') {
        for (const part of Object.values(value)) await walk(part);
      } else texts.push(String(value));
    };
    for (const { name } of await indexedDB.databases()) {
      const database = await new Promise((resolve) => (indexedDB.open(name ?? '').onsuccess = ({ target }) => resolve(/** @type {any} */ (target).result)));
      for (const store of database.objectStoreNames) {
        const request = database.transaction(store).objectStore(store).getAll();
        await walk(await new Promise((resolve) => (request.onsuccess = () => resolve(request.result))));
      }
      database.close();
    }
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) texts.push(request.url, await (await cache.match(request))?.text() ?? '');
    }
    return { bytes, texts, keys };
  });
}

test('no secret of the app is sent, shown, logged or readable where it is kept', async ({ demo, app, order, words }) => {
  const proxy = await Proxy.start();
  proxy.targets.push(demo.port);
  /** @type {string[]} what the page has said and been */
  const seen = [];
  app.page.on('console', (message) => seen.push(message.text()));
  app.page.on('pageerror', (error) => seen.push(String(error)));
  app.page.on('framenavigated', (frame) => seen.push(frame.url()));
  app.page.context().on('request', (request) => seen.push(request.url()));
  const look = async () => seen.push(await app.page.content(), app.page.url());

  const typed = await order(undefined, demo, ACTIVATION_PASSWORD);
  await app.open(proxy.url);
  await app.send(typed);
  await look();
  await app.shows(words.doneTitle);
  await look();
  await app.link(words.next).click();
  await app.codeButton().waitFor();
  await look();

  await test.step('without a lock, and then with one', async () => {
    await app.go('settings/lock');
    await app.page.getByLabel(words.lock.pinNew, { exact: true }).fill(PIN);
    await app.page.getByLabel(words.lock.pinAgain, { exact: true }).fill(PIN);
    await app.button(words.lock.pinSet).click();
    await expect(app.page.getByText(words.lock.isPin)).toBeVisible();
    await look();
    await app.page.reload();
    await app.shows(words.lock.lockedTitle);
    await app.page.getByLabel(words.lock.pin, { exact: true }).fill(PIN);
    await app.button(words.lock.unlock).click();
    await app.shows(words.lock.title);
    await look();
    await app.go('');
    await app.codeButton().waitFor();
  });

  const seed = await theSeedOf(demo);
  const secrets = {
    'activation password': typed.activationPassword,
    PIN,
    seed: Buffer.from(seed.seed_hex, 'hex'),
    'device key': Buffer.from(seed.device_key_hex, 'hex'),
  };
  await test.step('on the wire', () => {
    const sent = proxy.exchanges.filter(({ path }) => path.startsWith('/activation/'));
    expect(sent).toHaveLength(2);
    for (const { method, path, requestHead, requestBody, responseHead, responseBody } of proxy.exchanges) {
      const bytes = Buffer.concat([Buffer.from(requestHead), ...requestBody, Buffer.from(responseHead), ...responseBody]);
      expect(found(bytes, secrets), `${method} ${path}`).toEqual([]);
    }
  });
  await test.step('in what the page said, and in its addresses', () => {
    for (const text of seen) expect(found(text, secrets), text.slice(0, 80)).toEqual([]);
    expect(found(seen.join('\n'), { title: words.doneTitle }), 'what is shown can be found').toEqual(['title']);
  });
  await test.step('in what a script can read', async () => {
    const { bytes, texts, keys } = await readable(app.page);
    expect(keys, 'the pepper of the PIN').toBe(1);
    expect(bytes.length, 'what is sealed, its vectors and salts').toBeGreaterThan(5);
    for (const text of texts) expect(found(text, secrets), text.slice(0, 80)).toEqual([]);
    for (const hex of bytes) expect(found(Buffer.from(hex, 'hex'), secrets)).toEqual([]);
    expect(texts, 'what is kept can be found').toContain(typed.userId.replaceAll('-', ''));
  });
  await test.step('in the logs of the service', () => {
    const logs = filesBelow(demo.folder).filter((file) => file.endsWith('.log'));
    expect(logs.length).toBeGreaterThan(0);
    for (const log of logs) expect(found(readFileSync(log), secrets), log).toEqual([]);
  });
  await proxy.stop();
});

/** @param {string} list of the bytes, as `AppCore.kept` gives them */
const bytesOf = (list) => list.split(',').map(Number);

/** Opens the seed of a token with what lies in the files of the profile. @param {string} profile @param {any} token as it is kept */
function seedByProfile(profile, { id, sealed: { seed } }) {
  const sealed = { iv: bytesOf(seed.iv), data: bytesOf(seed.data) };
  return openedByBytesOf(databaseFiles(profile), sealed, `warifu-app/1|${id}|seed`)?.toString('hex');
}

test('a copy of the profile gives the tokens of an app without a lock', async ({ demo, browserOfPhone, order }) => {
  const core = await new AppCore((await browserOfPhone.start()).page).start(demo.url);
  await core.call('begin', begun(await order()));
  const [token] = (await core.kept()).tokens;
  await browserOfPhone.close();
  expect(seedByProfile(browserOfPhone.profile, token)).toBe((await theSeedOf(demo)).seed_hex);
});

test('a copy of the profile does not give the tokens that came under a lock', async ({ demo, browserOfPhone, order }) => {
  const core = await new AppCore((await browserOfPhone.start()).page).start(demo.url);
  await core.call('open');
  expect(await core.call('setLock', { kind: 'pin', pin: PIN })).toEqual({ ok: true });
  expect(await core.call('begin', begun(await order()))).toEqual({ done: expect.any(String) });
  const [token] = (await core.kept()).tokens;
  await browserOfPhone.close();
  expect(seedByProfile(browserOfPhone.profile, token)).toBeUndefined();
});

test('a lock that came after the token leaves the older copy in the files of the browser', async ({ demo, browserOfPhone }) => {
  const planted = { id: 'token-0', seed: randomBytes(32), deviceKey: randomBytes(32) };
  const core = await new AppCore((await browserOfPhone.start()).page).start(demo.url);
  await core.call('open');
  await core.plant([planted]);
  const [before] = (await core.kept()).tokens;
  expect(await core.call('setLock', { kind: 'pin', pin: PIN })).toEqual({ ok: true });
  const [after] = (await core.kept()).tokens;
  await browserOfPhone.close();
  expect(seedByProfile(browserOfPhone.profile, after), 'what is kept now').toBeUndefined();
  // A browser writes anew and erases later, when it likes: no page can make it.
  expect(seedByProfile(browserOfPhone.profile, before), 'what was kept before').toBe(planted.seed.toString('hex'));
});

/** What the core is told of an order. @param {import('../../support/phone_app.js').Order} order */
function begun({ serviceId, userId, activationPassword }) {
  return { serviceId, tokenUserId: userId, password: activationPassword };
}
