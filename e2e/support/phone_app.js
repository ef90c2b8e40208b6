// The phone app on its page, and what a person does with it.
import { expect } from '@playwright/test';
import { codeAt } from './app_core.js';
import { run } from './machine.js';
import { expectTitle } from './journey.js';

/** How late the screen may follow the step, in milliseconds. */
const LATE_MS = 5_000;
/** The app tries again after a minute at the latest; how long one may wait for that, in milliseconds. */
export const AGAIN_MS = 75_000;

/**
 * @typedef {import('@playwright/test').Page} Page
 * @typedef {import('@playwright/test').Locator} Locator
 * @typedef {import('./app_labels.js').AppLabels} AppLabels
 * @typedef {{ serviceId: string, userId: string, activationPassword: string }} Order what a person types
 */

export class PhoneApp {
  /** @param {Page} page @param {AppLabels} words */
  constructor(page, words) {
    this.page = page;
    this.words = words;
    /** @type {string[]} paths of the interfaces that the app talked to */
    this.asked = [];
    page.on('request', (request) => {
      const { pathname } = new URL(request.url());
      if (/^\/(activation|device)\//.test(pathname)) this.asked.push(pathname);
    });
    this.main = page.getByRole('main');
    this.cards = page.locator('li[data-token]');
    this.serviceId = page.getByLabel(words.serviceId, { exact: true });
    this.userId = page.getByLabel(words.tokenUserId, { exact: true });
    this.password = page.getByLabel(words.activationPassword, { exact: true });
  }

  /** Opens the app. @param {string} url of the service @param {string} [path] of a screen */
  async open(url, path = '') {
    await this.page.goto(new URL(`/app/#/${path}`, url).href);
    await expect(this.page.getByRole('heading', { level: 1 })).toBeVisible();
    return this;
  }

  /** The app in another tab of the same browser, not yet opened. */
  async another() {
    return new PhoneApp(await this.page.context().newPage(), this.words);
  }

  /** The person goes to another app: what the browser then tells the page (without a screen, Chromium's windows are always visible). */
  hide() {
    return this.#seen('hidden');
  }

  /** The person comes back. */
  unhide() {
    return this.#seen('visible');
  }

  /** @param {'hidden' | 'visible'} visibility */
  #seen(visibility) {
    return this.page.evaluate((visibility) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => visibility });
      document.dispatchEvent(new Event('visibilitychange'));
    }, visibility);
  }

  /** Goes to a screen without loading the page again. @param {string} path */
  async go(path) {
    await this.page.evaluate((path) => void (location.hash = `#/${path}`), path);
  }

  /** Waits until the app can start without a network. */
  async keptOffline() {
    await this.page.evaluate(async () => {
      const { active } = await navigator.serviceWorker.ready;
      if (active?.state === 'activated') return;
      await new Promise((resolve) => active?.addEventListener('statechange', () => active.state === 'activated' && resolve(true)));
    });
  }

  /** @param {string} title @param {{ within_ms?: number }} [how] */
  shows(title, how) {
    return expectTitle(this.page, title, how);
  }

  /** @param {string} name */
  button(name) {
    return this.page.getByRole('button', { name, exact: true });
  }

  /** @param {string} name */
  link(name) {
    return this.page.getByRole('link', { name, exact: true });
  }

  /** Types an order without sending it. @param {Order} order */
  async fill({ serviceId, userId, activationPassword }) {
    await this.serviceId.fill(serviceId);
    await this.userId.fill(userId);
    await this.password.fill(activationPassword);
  }

  /** Types an order and sends it. @param {Order} order */
  async send(order) {
    await this.fill(order);
    await this.button(this.words.send).click();
  }

  /** J3, from the form to the code. @param {Order} order */
  async add(order) {
    await this.send(order);
    await this.finish();
  }

  /** From the completion page to the codes. @param {{ within_ms?: number }} [how] `within_ms`: until the page is there */
  async finish({ within_ms } = {}) {
    await this.shows(this.words.doneTitle, { within_ms });
    await this.link(this.words.next).click();
    await this.shows(this.words.title);
  }

  /** The button with a token's code, by what a screen reader says. @param {Locator} [card] */
  codeButton(card = this.cards.first()) {
    return card.getByRole('button', { name: this.spoken() });
  }

  /** What a screen reader says of a shown code. */
  spoken() {
    const [before, after] = this.words.spoken('#').split('#');
    const literal = (/** @type {string} */ text) => text.replace(/[.?]/g, '\\$&');
    return new RegExp(`^${literal(before)}(\\d(?: \\d)*)${literal(after)}$`);
  }

  /** The code that is shown. @param {Locator} [card] @returns {Promise<string>} */
  async code(card = this.cards.first()) {
    return (await this.codeAndTime(card)).code;
  }

  /** The code that is shown and our time. @param {Locator} [card] */
  async codeAndTime(card = this.cards.first()) {
    const button = this.codeButton(card);
    await expect(button).toBeVisible();
    const digits = await button.locator('.digits').innerText();
    return { code: digits.replaceAll(' ', ''), nowMs: Date.now() };
  }

  /** Expects the right code of a planted token. @param {Buffer} seed @param {Locator} [card] */
  async showsPlanted(seed, card) {
    const { code, nowMs } = await this.codeAndTime(card);
    expect([codeAt(seed, nowMs), codeAt(seed, nowMs - LATE_MS)]).toContain(code);
  }

  /**
   * Expects the right code: the one that `oathtool` computes from the server's seed and the right time, whatever the phone's clock says.
   *
   * @param {import('./seeds.js').Seed} seed
   * @param {Locator} [card]
   * @returns {Promise<string>} it
   */
  async showsCodeOf(seed, card = this.cards.first()) {
    let shown = '';
    await expect(async () => {
      const { code, nowMs } = await this.codeAndTime(card);
      const at = Math.floor(nowMs / 1000);
      // The screen follows the step within a second, and a clock is measured as well as a network allows.
      expect(await Promise.all([at - 1, at, at + 1].map((s) => oathCode(seed, s)))).toContain(code);
      shown = code;
    }).toPass({ timeout: 10_000 });
    return shown;
  }
}

/** The code of a moment by `oathtool`. @param {import('./seeds.js').Seed} seed @param {number} at_s since 1970 */
export async function oathCode({ algorithm, digits, step_s, seed_hex }, at_s) {
  const totp = `--totp=${algorithm.toLowerCase().replace('-', '')}`;
  const args = [totp, '-s', `${step_s}s`, '-d', String(digits), '-N', `@${at_s}`, seed_hex];
  const { status, stdout, stderr } = await run('oathtool', args);
  if (status !== 0) throw new Error(`oathtool: ${stderr}`);
  return stdout.trim();
}
