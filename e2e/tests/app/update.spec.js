// New versions of the app: offered, taken when the person says so or at the next start, with every token kept.
import { createHash } from 'node:crypto';
import { Gate } from '../../support/gate.js';
import { AGAIN_MS } from '../../support/phone_app.js';
import { expect, test } from '../../support/app_test.js';

const LIST = '/app/version.js';
const FILE = '/app/css/app.css';
const ADDED = '/* the next version */';
/** Chromium asks the old version once to come to rest. When something comes between, it looks again after a minute; until then the old version stays on the screen. */
const TAKEN_OVER_MS = 75_000;
/** More than that is told. */
const USUAL_MS = 15_000;

/** From now on the service has another version of the app. @param {Gate} gate @param {{ broken?: boolean }} [how] */
async function publish(gate, { broken = false } = {}) {
  const file = Buffer.from(`${await (await fetch(new URL(FILE, gate.url))).text()}${ADDED}`);
  const hash = createHash('sha256').update(broken ? 'something else' : file).digest('base64');
  gate.rewrite(FILE, () => file);
  gate.rewrite(LIST, (list) =>
    list
      .toString()
      .replace(/version: '[0-9a-f]+'/, "version: 'ffffffffffffffff'")
      .replace(new RegExp(`\\["${FILE}","sha256-[^"]+"\\]`), `["${FILE}","sha256-${hash}"]`),
  );
}

/** What the app does every hour. @param {import('../../support/phone_app.js').PhoneApp} app */
function look(app) {
  return app.page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    const { installing } = await registration.update();
    if (!installing) return 'nothing new';
    return new Promise((resolve) => installing.addEventListener('statechange', () => resolve(installing.state)));
  });
}

/** The style that is used, as the running version has it. @param {import('../../support/phone_app.js').PhoneApp} app */
function runs(app) {
  return app.page.evaluate(async (file) => (await fetch(file)).text(), FILE);
}

/**
 * Counts the documents of the page from now on. Nothing is fetched to see which version runs: one that answers requests is not
 * relieved before it rests.
 *
 * @param {import('../../support/phone_app.js').PhoneApp} app
 * @returns {(count: number) => Promise<void>} waits for so many
 */
function documents(app) {
  let loaded = 0;
  app.page.on('domcontentloaded', () => (loaded += 1));
  return async (count) => {
    const since = Date.now();
    await expect.poll(() => loaded, { message: 'the page is loaded anew', timeout: TAKEN_OVER_MS }).toBe(count);
    if (Date.now() - since > USUAL_MS) console.warn(`the page was loaded anew after ${Date.now() - since} ms`);
  };
}

/** @param {any} fixtures @param {(gate: Gate) => Promise<void>} walk */
async function withToken({ demo, order, app }, walk) {
  const gate = await Gate.to(demo.port);
  try {
    await app.open(gate.url);
    await app.keptOffline();
    await app.add(await order());
    expect(await look(app)).toBe('nothing new');
    await walk(gate);
  } finally {
    await gate.stop();
  }
}

test('a new version is offered, takes over when it is wanted, and keeps the tokens', async ({ demo, words, order, app }) => {
  await withToken({ demo, order, app }, async (gate) => {
    const { id } = await theToken(app);
    await publish(gate);
    expect(await look(app)).toBe('installed');
    await expect(app.page.getByRole('status').filter({ hasText: words.update.ready })).toBeVisible();
    expect(await runs(app), 'not before it is wanted').not.toContain(ADDED);
    expect(await app.code()).toMatch(/^\d{6}$/);

    const loaded = documents(app);
    await app.button(words.update.take).click();
    await loaded(1);
    await app.shows(words.title);
    expect(await runs(app)).toContain(ADDED);
    await expect(app.page.getByText(words.update.ready)).toHaveCount(0);
    expect((await theToken(app)).id).toBe(id);
    await expect.poll(() => caches(app), 'the old version is cleared away').toEqual(['warifu-app-ffffffffffffffff', 'warifu-marker']);
    gate.down = true;
    await app.page.reload();
    expect(await app.code(), 'and the new one works without a network').toMatch(/^\d{6}$/);
  });
});

test('a version that waits takes over at the next start, before anything is shown', async ({ demo, words, order, app }) => {
  await withToken({ demo, order, app }, async (gate) => {
    await publish(gate);
    expect(await look(app)).toBe('installed');
    const loaded = documents(app);
    await app.page.reload({ waitUntil: 'commit' });
    // The second time by itself.
    await loaded(2);
    await app.shows(words.title);
    expect(await runs(app)).toContain(ADDED);
    await expect(app.page.getByText(words.update.ready)).toHaveCount(0);
    expect(await app.code()).toMatch(/^\d{6}$/);
  });
});

test('a page that no version keeps is offered the next one, and takes it', async ({ demo, words, order, app }) => {
  await withToken({ demo, order, app }, async (gate) => {
    const browser = await app.page.context().newCDPSession(app.page);
    // Reloaded with the shift key, a page comes past the version that is kept.
    await browser.send('Page.reload', { ignoreCache: true });
    await app.shows(words.title);
    expect(await app.page.evaluate(() => navigator.serviceWorker.controller)).toBeNull();
    await publish(gate);
    expect(await look(app)).toBe('installed');
    const loaded = documents(app);
    await app.button(words.update.take).click();
    await loaded(1);
    await app.shows(words.title);
    expect(await runs(app)).toContain(ADDED);
    expect(await app.code()).toMatch(/^\d{6}$/);
  });
});

test('a page that is at work when another takes the next version is loaded anew when it is done', async ({ demo, words, order, app }) => {
  await withToken({ demo, order, app }, async (gate) => {
    const other = await app.another();
    await other.open(gate.url, 'add');
    gate.lost = '/activation/v1/start';
    await other.send(await order(demo.user('general', 1)));
    await expect.poll(() => other.asked).toContain(gate.lost);
    await publish(gate);
    expect(await look(app)).toBe('installed');
    const [mine, others] = [documents(app), documents(other)];
    await app.button(words.update.take).click();
    await mine(1);
    await others(0);
    gate.lost = undefined;
    await other.shows(words.doneTitle, { within_ms: AGAIN_MS });
    await others(0);
    await other.link(words.next).click();
    await others(1);
    await other.shows(words.title);
    expect(await runs(other)).toContain(ADDED);
  });
});

test('a version with one file that is not what its list says is not installed', async ({ demo, words, order, app }) => {
  await withToken({ demo, order, app }, async (gate) => {
    await publish(gate, { broken: true });
    expect(await look(app)).toBe('redundant');
    await app.page.reload();
    await app.shows(words.title);
    expect(await runs(app)).not.toContain(ADDED);
    await expect(app.page.getByText(words.update.ready)).toHaveCount(0);
    expect(await app.code()).toMatch(/^\d{6}$/);
  });
});

/** @param {import('../../support/phone_app.js').PhoneApp} app */
async function theToken(app) {
  await expect(app.cards).toHaveCount(1);
  return { id: await app.cards.getAttribute('data-token') };
}

/** @param {import('../../support/phone_app.js').PhoneApp} app @returns {Promise<string[]>} */
function caches(app) {
  return app.page.evaluate(async () => (await window.caches.keys()).sort());
}
