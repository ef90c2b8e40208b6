// The app for phones as it is seen: how its states come about, and what every one of them must bear.
import { createHmac, randomBytes } from 'node:crypto';
import { expect } from '@playwright/test';
import { APP_SCREENS, inspect } from './inspect.js';

/**
 * @typedef {import('@playwright/test').Page} Page
 * @typedef {import('../../authenticator/www/js/core/types.js').Standing} Standing
 *
 * @typedef {object} Said what a token's server says of it
 * @property {Standing} [standing]
 * @property {number} [ahead_ms] how far the server's clock is ahead of the device's
 * @property {number} [expires_at_ms]
 * @property {number} [renewable_from_ms]
 * @property {{ ja: string, en: string }} [service]
 * @property {string} [user]
 *
 * @typedef {object} Planted a token whose secrets the test knows
 * @property {string} id
 * @property {Buffer} seed
 * @property {Buffer} deviceKey
 * @property {string | null} name
 * @property {Said} says
 */

const DEVICE_MEDIA_TYPE = 'application/vnd.warifu.device+json';
const SERVICE = { ja: 'みなと銀行', en: 'Minato Bank' };
/** The least height of whatever is pressed, in pixels (WCAG 2.2, 2.5.5). */
const TARGET_PX = 44;

/** @param {string} [name] that its owner gave it @param {Said} [says] @returns {Planted} */
export function token(name, says = {}) {
  const id = randomBytes(8).toString('hex');
  return { id, seed: randomBytes(32), deviceKey: randomBytes(32), name: name ?? null, says };
}

/** The app on a page. */
export class AppPage {
  /** @type {Record<string, any>} the app's words, as they are served */
  words = {};

  /** @param {Page} page @param {string} url of the service @param {'ja' | 'en'} language */
  constructor(page, url, language) {
    this.page = page;
    this.url = url;
    this.language = language;
  }

  /** Opens the app anew. @param {string} [screen] the address behind `#/` */
  async open(screen = '') {
    await this.page.goto('about:blank');
    await this.page.goto(new URL(`/app/#/${screen}`, this.url).href);
    await this.page.locator('h1').waitFor();
    if (!this.words['phone-send']) this.words = await (await this.page.request.get(new URL(`/app/text/${this.language}.json`, this.url).href)).json();
  }

  /** Goes to another screen of the open app. @param {string} screen @param {string} title the id of its words */
  async go(screen, title) {
    await this.page.evaluate((screen) => (location.hash = `#/${screen}`), screen);
    await this.expectTitle(title);
  }

  /** @param {string} id of the words */
  async expectTitle(id) {
    await expect(this.page.getByRole('heading', { level: 1, name: this.words[id], exact: true })).toBeVisible();
  }

  /** Inspects what is shown, and measures what can be pressed. @param {string} name */
  async look(name) {
    await inspect(this.page, this.language, `app-${name}`, APP_SCREENS);
    expect.soft(await small(this.page), `${name} in ${this.language}: too small to press`).toEqual([]);
  }

  /**
   * Puts tokens there as an activation leaves them, and opens the app again; the app has to be open without a lock. Their server
   * says what each of them says.
   *
   * @param {Planted[]} tokens
   * @param {{ clock?: { offsetMs: number, serverTimeMs: number }, reached?: boolean }} [how] `clock`: what is known of it;
   *   `reached`: whether their server is
   */
  async plant(tokens, { clock, reached = true } = {}) {
    if (reached) await this.serve(tokens);
    else await this.unreachable();
    const plain = tokens.map(({ id, seed, deviceKey, name }) => ({ id, name, seed: [...seed], deviceKey: [...deviceKey] }));
    await this.page.evaluate(
      async ({ tokens, clock }) => {
        const [storeScript, keysScript] = ['/app/js/core/store.js', '/app/js/core/keys.js'];
        const { mark, transact } = await import(storeScript);
        const { seal } = await import(keysScript);
        const { key } = await transact('readonly', (/** @type {any} */ transaction) => transaction.setting('lock'));
        for (const [position, { id, name, seed, deviceKey }] of tokens.entries()) {
          const sealed = {
            seed: await seal(key, id, 'seed', Uint8Array.from(seed)),
            device: await seal(key, id, 'device', Uint8Array.from(deviceKey)),
          };
          const activated = { tokenId: id, algorithm: 'SHA-256', digits: 6, stepS: 60 };
          const ids = { serviceId: 'minato-bank', tokenUserId: `6012345678${String(position).padStart(4, '0')}` };
          const best = clock && { offsetMs: clock.offsetMs, tripMs: 10, measuredAtMs: 0 };
          const measured = best ? { best, last: [best], serverTimeMs: clock?.serverTimeMs } : null;
          const token = { id, position, ...ids, name, state: 'active', sealed, activated, standing: null, clock: measured };
          await transact('readwrite', (/** @type {any} */ transaction) => transaction.put(token));
        }
        await mark();
      },
      { tokens: plain, clock },
    );
    await this.open();
  }

  /** Answers as the server of these tokens, and no longer as that of others. @param {Planted[]} tokens */
  async serve(tokens) {
    await this.page.unroute('**/device/v1/*');
    await this.page.route('**/device/v1/*', async (route) => {
      const question = new URL(route.request().url()).pathname.split('/').pop() ?? '';
      const { token_id, nonce } = route.request().postDataJSON();
      const { deviceKey, says } = /** @type {Planted} */ (tokens.find(({ id }) => id === token_id));
      const body = JSON.stringify({
        server_time_ms: Date.now() + (says.ahead_ms ?? 0),
        standing: says.standing ?? 'in_use',
        since_ms: Date.UTC(2026, 10, 2, 1, 15),
        service_name: says.service ?? SERVICE,
        user_name: says.user ?? (this.language === 'ja' ? '佐藤 花子' : 'Hanako Sato'),
        help_desk: this.language === 'ja' ? 'みなと銀行 法人サポート 0120-000-000 (平日9:00~18:00)' : 'Minato Bank business support, 0120-000-000 (weekdays 9:00 to 18:00)',
        expires_at_ms: says.expires_at_ms ?? null,
        renewable_from_ms: says.renewable_from_ms ?? null,
      });
      const proof = mac(deviceKey, `warifu/1 ${question} answer`, token_id, nonce, body);
      await route.fulfill({ status: 200, contentType: DEVICE_MEDIA_TYPE, headers: { 'Warifu-Proof': proof }, body });
    });
  }

  /** From now on no server answers. */
  async unreachable() {
    await this.page.unroute('**/device/v1/*');
    await this.page.route('**/device/v1/*', (route) => route.abort());
  }

  /** Lets no wait of the open page end that is longer than a second. @returns {Promise<() => Promise<void>>} undoes it */
  async waitForEver() {
    await this.page.evaluate(() => {
      const { setTimeout } = window;
      const patient = (/** @type {() => void} */ what, /** @type {number} */ ms) => setTimeout(what, ms < 1000 ? ms : 600_000);
      Object.assign(window, { setTimeout: patient, impatient: setTimeout });
    });
    return () => this.page.evaluate(() => void Object.assign(window, { setTimeout: /** @type {any} */ (window).impatient }));
  }

  /** Changes the kept lock. @param {Record<string, unknown>} change */
  async changeLock(change) {
    await this.page.evaluate(async (change) => {
      const script = '/app/js/core/store.js';
      const { transact } = await import(script);
      await transact('readwrite', async (/** @type {any} */ transaction) => {
        await transaction.set('lock', { ...(await transaction.setting('lock')), ...change });
      });
    }, change);
  }

  /** The card of a token. @param {string} id */
  card(id) {
    return this.page.locator(`[data-token="${id}"]`);
  }

  /** @param {string} id of the words @param {'button' | 'link'} [role] */
  async press(id, role = 'button') {
    await this.page.getByRole(role, { name: this.words[id], exact: true }).first().click();
  }
}

/**
 * What can be pressed and is lower than a finger needs. Links inside of a sentence are as high as its line.
 *
 * @param {Page} page
 * @returns {Promise<string[]>}
 */
function small(page) {
  return page.evaluate((least) => {
    const pressed = document.querySelectorAll('button, a, input, select');
    return [...pressed].flatMap((element) => {
      const box = element.getBoundingClientRect();
      const label = element instanceof HTMLInputElement && element.type === 'checkbox' ? element.closest('.check') : null;
      const stretched = getComputedStyle(element, '::after').position === 'absolute' ? element.closest('li') : null;
      const height = (label ?? stretched)?.getBoundingClientRect().height ?? box.height;
      const seen = element.checkVisibility() && box.width > 1;
      const inText = element.matches('p a, li a, .problems a') && !element.matches('.button');
      return seen && !inText && height < least - 0.5 ? [`${element.outerHTML.slice(0, 120)}: ${height}`] : [];
    });
  }, TARGET_PX);
}

/** HMAC-SHA-256 over parts, each behind its length. @param {Buffer} key @param {...string} parts */
function mac(key, ...parts) {
  const hmac = createHmac('sha256', key);
  for (const part of parts.map((part) => Buffer.from(part))) {
    hmac.update(Buffer.from([part.length >> 8, part.length & 0xff])).update(part);
  }
  return hmac.digest('hex');
}
