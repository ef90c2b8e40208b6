// What the app for phones costs: bytes at the first start, the origins that it needs, and what Lighthouse says of it. How long a
// start takes is measured and told, and not judged: machines differ.
import lighthouse from 'lighthouse';
import { chromium } from '@playwright/test';
import { AppPage, token } from '../../support/app_screens.js';
import { freePort } from '../../support/machine.js';
import { expect, test } from '../../support/app_test.js';
import { Wire } from '../../support/wire.js';

/** The first start of the app, with all that it keeps for later ones. */
const FIRST_START_BYTES_MAX = 150_000;
const WARM_STARTS = 5;
/** The figures of a busy machine are no worse than the page: the best of so many counts, of those in which everything was measured. */
const LIGHTHOUSE_RUNS = 3;

test('the first start of the app costs no more than 150 kB, and brings all of it', async ({ demo, words, app }, info) => {
  const wire = await Wire.to(demo.port);
  await app.open(wire.url);
  await app.keptOffline();
  const { bodies, heads, answers } = wire;
  tell(info, 'first start of the app', `${bodies} bytes of files, and ${heads} of ${answers} heads by HTTP/1.1`);
  expect(answers, 'the meter has seen the files').toBeGreaterThan(30);
  expect(bodies + heads).toBeLessThanOrEqual(FIRST_START_BYTES_MAX);

  await test.step('and none of it is fetched again', async () => {
    wire.stop();
    await app.page.context().setOffline(true);
    for (const [path, title] of [
      ['', words.firstTitle],
      ['settings', words.settings],
      ['settings/lock', words.lock.title],
      ['help', words.helpTitle],
      ['scan', words.scan.offer],
    ]) {
      await app.open(wire.url, path);
      await app.shows(title);
    }
  });
});

test('the app talks to its own origin and to no other', async ({ demo, app, order }) => {
  /** @type {Set<string>} */
  const origins = new Set();
  app.page.context().on('request', (request) => origins.add(new URL(request.url()).origin));
  const answer = await app.page.request.get(new URL('/app/', demo.url).href);
  const policy = answer.headers()['content-security-policy'];
  const rules = new Map(policy.split(';').map((rule) => /** @type {[string, string[]]} */ ([rule.trim().split(' ')[0], rule.trim().split(' ').slice(1)])));
  expect(rules.get('default-src')).toEqual(["'none'"]);
  expect(rules.get('script-src')).toEqual(["'self'", "'wasm-unsafe-eval'"]);
  for (const [rule, sources] of rules) {
    expect(["'none'", "'self'", "'wasm-unsafe-eval'"], rule).toEqual(expect.arrayContaining(sources));
  }
  expect(await answer.text(), 'nothing inline').not.toMatch(/<style|style=|<script(?! (?:async )?type="module" src=)|\son[a-z]+=/);

  await app.open(demo.url);
  await app.keptOffline();
  await app.add(await order());
  for (const path of ['settings', 'settings/lock', 'help', 'scan', 'add']) await app.open(demo.url, path);
  expect([...origins]).toEqual([demo.url]);
});

test('how long a warm start takes until a code is there', async ({ browserOfPhone, demo, words }, info) => {
  const { page } = await browserOfPhone.start();
  const app = new AppPage(page, demo.url, words.language === 'ja' ? 'ja' : 'en');
  await app.open();
  await app.plant([token()]);
  await app.page.evaluate(async () => void (await navigator.serviceWorker.ready));
  await app.page.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (!document.querySelector('.token-code:not([hidden])')) return;
      observer.disconnect();
      // After the next frame it is on the screen.
      requestAnimationFrame(() => setTimeout(() => Object.assign(window, { shownAt: performance.now() })));
    }).observe(document, { subtree: true, childList: true, attributes: true });
  });
  /** @type {number[]} */
  const took = [];
  for (let run = 0; run < WARM_STARTS; run += 1) {
    await app.open();
    took.push(await (await page.waitForFunction(() => /** @type {any} */ (window).shownAt)).jsonValue());
  }
  const sorted = took.toSorted((one, other) => one - other).map(Math.round);
  const told = `median ${sorted[Math.floor(WARM_STARTS / 2)]} ms of ${sorted.join(', ')}`;
  tell(info, 'warm start of the app to its first code', told);
  expect(await page.evaluate(() => navigator.serviceWorker.controller !== null), 'the app came from the device').toBe(true);
});

test('lighthouse finds nothing against the app', async ({ demo, launchOptions }, info) => {
  test.setTimeout(300_000);
  const port = await freePort();
  const browser = await chromium.launch({ ...launchOptions, args: [...(launchOptions.args ?? []), `--remote-debugging-port=${port}`] });
  /** @type {number[]} */
  const performances = [];
  /** @type {string[]} */
  const unmeasured = [];
  for (let run = 0; run < LIGHTHOUSE_RUNS; run += 1) {
    const result = await lighthouse(new URL('/app/', demo.url).href, {
      port,
      logLevel: 'error',
      onlyCategories: ['performance', 'accessibility', 'best-practices'],
    });
    const { categories, audits } = /** @type {NonNullable<typeof result>} */ (result).lhr;
    const failed = ['accessibility', 'best-practices'].flatMap((name) =>
      categories[name].auditRefs.filter(({ id, weight }) => weight > 0 && (audits[id].score ?? 1) < 1).map(({ id }) => `${name}: ${id}`),
    );
    expect(failed).toEqual([]);
    // What Lighthouse itself could not do is no finding, and no result either: the category has no score then.
    const gaps = Object.values(audits).filter(({ scoreDisplayMode }) => scoreDisplayMode === 'error');
    if (gaps.length > 0) {
      unmeasured.push(...gaps.map(({ id, errorMessage }) => `run ${run + 1}, ${id}: ${errorMessage}`));
      continue;
    }
    for (const name of ['accessibility', 'best-practices']) expect(categories[name].score, name).toBe(1);
    performances.push(Math.round(100 * (categories.performance.score ?? 0)));
    if (performances.at(-1) === 100) break;
  }
  await browser.close();
  tell(info, 'performance by Lighthouse', performances.join(', '));
  if (unmeasured.length > 0) tell(info, 'not measured by Lighthouse', unmeasured.join('; '));
  expect(performances.length, `runs with everything measured; ${unmeasured.join('; ')}`).toBeGreaterThan(0);
  expect(Math.max(...performances)).toBeGreaterThanOrEqual(95);
});

/** A figure for the report. @param {import('@playwright/test').TestInfo} info @param {string} type @param {string} description */
function tell(info, type, description) {
  info.annotations.push({ type, description });
  console.log(`${type}: ${description}`);
}
