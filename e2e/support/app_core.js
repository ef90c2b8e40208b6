// The core of the phone app in a real browser: a page of the service's origin that calls it as the screens do.
import { createHmac } from 'node:crypto';

/**
 * @typedef {import('@playwright/test').Page} Page
 * @typedef {import('../../authenticator/www/js/core/authenticator.js').Authenticator} Authenticator
 */

const DEVICE_MEDIA_TYPE = 'application/vnd.warifu.device+json';

/** The core behind one page: a tab of the app. */
export class AppCore {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    /** @type {string[]} the paths of the interfaces that the app talked to */
    this.asked = [];
    page.on('request', (request) => {
      const { pathname } = new URL(request.url());
      if (/^\/(activation|device)\//.test(pathname)) this.asked.push(pathname);
    });
  }

  /** A new start of the app. @param {string} url of the service */
  async start(url) {
    await this.page.goto(new URL('/sign-in', url).href);
    await this.page.evaluate(async () => {
      const script = '/app/js/core/authenticator.js';
      const { Authenticator } = await import(script);
      const app = new Authenticator();
      Object.assign(window, { app, events: [], stages: [] });
      for (const event of ['changed', 'locked']) app.on(event, () => /** @type {any} */ (window).events.push(event));
    });
    return this;
  }

  /**
   * Calls the core; stages of an activation are gathered for `gathered`.
   *
   * @param {keyof Authenticator} op
   * @param {...unknown} input
   * @returns {Promise<any>} what it answers, or `{ error }` with the code of what it threw
   */
  call(op, ...input) {
    return this.page.evaluate(
      async ([op, input]) => {
        const { app, stages } = /** @type {any} */ (window);
        try {
          return await app[op](...input, ...(op === 'begin' || op === 'resume' ? [(/** @type {string} */ stage) => stages.push(stage)] : []));
        } catch (error) {
          return { error: /** @type {any} */ (error).code ?? String(error) };
        }
      },
      /** @type {const} */ ([op, input]),
    );
  }

  /** @param {'events' | 'stages'} what @returns {Promise<string[]>} */
  gathered(what) {
    return this.page.evaluate((what) => /** @type {any} */ (window)[what], what);
  }

  /** Opens the lock of a passkey, or sets one: bytes do not go through {@link call}. @param {'unlock' | 'setLock'} op @param {number} prf */
  byDevice(op, prf) {
    return this.page.evaluate(
      ([op, prf]) => {
        const bytes = (/** @type {number} */ byte) => new Uint8Array(32).fill(byte);
        const { app } = /** @type {any} */ (window);
        if (op === 'unlock') return app.unlock({ prf: bytes(prf) });
        return app.setLock({ kind: 'device', prf: bytes(prf), credentialId: bytes(7), salt: bytes(8) });
      },
      /** @type {const} */ ([op, prf]),
    );
  }

  /** What is kept: everything but the keys. @returns {Promise<{ lock: any, settings: any, tokens: any[] }>} */
  kept() {
    return this.page.evaluate(async () => {
      const script = '/app/js/core/store.js';
      const { transact } = await import(script);
      const kept = await transact('readonly', async (/** @type {any} */ transaction) => ({
        lock: await transaction.setting('lock'),
        settings: await transaction.setting('settings'),
        tokens: await transaction.tokens(),
      }));
      const plain = (/** @type {string} */ _, /** @type {any} */ value) => {
        if (value instanceof CryptoKey) return { extractable: value.extractable, usages: value.usages };
        return value instanceof Uint8Array ? Array.from(value).join(',') : value;
      };
      return JSON.parse(JSON.stringify(kept, plain));
    });
  }

  /** As if the wait after a wrong PIN was over. */
  passWait() {
    return this.page.evaluate(async () => {
      const script = '/app/js/core/store.js';
      const { transact } = await import(script);
      await transact('readwrite', async (/** @type {any} */ transaction) => {
        const lock = await transaction.setting('lock');
        await transaction.set('lock', { ...lock, lastTryAtMs: lock.lastTryAtMs - 3_600_000 });
      });
    });
  }

  /**
   * Puts tokens there whose secrets the test knows, as an activation leaves them. The app has to be open without a lock.
   *
   * @param {{ id: string, seed: Buffer, deviceKey: Buffer, step_s?: number }[]} tokens `step_s`: 60 where it is not told
   */
  plant(tokens) {
    const plain = tokens.map(({ id, seed, deviceKey, step_s = 60 }) => ({ id, seed: [...seed], deviceKey: [...deviceKey], stepS: step_s }));
    return this.page.evaluate(async (tokens) => {
      const [storeScript, keysScript] = ['/app/js/core/store.js', '/app/js/core/keys.js'];
      const { mark, transact } = await import(storeScript);
      const { seal } = await import(keysScript);
      const { key } = await transact('readonly', (/** @type {any} */ transaction) => transaction.setting('lock'));
      for (const [position, { id, seed, deviceKey, stepS }] of tokens.entries()) {
        const sealed = {
          seed: await seal(key, id, 'seed', Uint8Array.from(seed)),
          device: await seal(key, id, 'device', Uint8Array.from(deviceKey)),
        };
        const activated = { tokenId: `server-${id}`, algorithm: 'SHA-256', digits: 6, stepS };
        const ids = { serviceId: 'planted', tokenUserId: String(position).padStart(14, '0') };
        const token = { id, position, ...ids, name: null, state: 'active', sealed, activated, standing: null, clock: null };
        await transact('readwrite', (/** @type {any} */ transaction) => transaction.put(token));
      }
      await mark();
    }, plain);
  }

  /**
   * Answers the questions of planted tokens as their server.
   *
   * @param {Buffer} deviceKey
   * @param {() => { standing?: string, ahead_ms?: number, expires_at_ms?: number, forged?: boolean }} say `forged`: not by the
   *   server
   */
  async serve(deviceKey, say) {
    await this.page.route('**/device/v1/*', async (route) => {
      const question = new URL(route.request().url()).pathname.split('/').pop() ?? '';
      const body = route.request().postData() ?? '';
      const proof = route.request().headers()['warifu-proof'];
      if (proof !== mac(deviceKey, `warifu/1 ${question} request`, body)) return route.fulfill({ status: 400 });
      const { standing = 'in_use', ahead_ms = 0, expires_at_ms = null, forged = false } = say();
      const { token_id, nonce } = JSON.parse(body);
      const answer = JSON.stringify({
        server_time_ms: Date.now() + ahead_ms,
        standing,
        since_ms: 1,
        service_name: { ja: 'みなと銀行', en: 'Minato Bank' },
        user_name: '佐藤 花子',
        help_desk: '0120-000-000',
        expires_at_ms,
        renewable_from_ms: null,
      });
      const key = forged ? Buffer.alloc(32) : deviceKey;
      const headers = { 'Warifu-Proof': mac(key, `warifu/1 ${question} answer`, token_id, nonce, answer) };
      return route.fulfill({ status: 200, contentType: DEVICE_MEDIA_TYPE, headers, body: answer });
    });
  }
}

/** HMAC-SHA-256 over parts, each behind its length. @param {Buffer} key @param {...string} parts */
function mac(key, ...parts) {
  const hmac = createHmac('sha256', key);
  for (const part of parts.map((part) => Buffer.from(part))) {
    hmac.update(Buffer.from([part.length >> 8, part.length & 0xff])).update(part);
  }
  return hmac.digest('hex');
}

/** The code that a server computes (RFC 6238, SHA-256, 6 digits, 60 seconds). @param {Buffer} seed @param {number} nowMs */
export function codeAt(seed, nowMs) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(nowMs / 60_000)));
  const mac = createHmac('sha256', seed).update(counter).digest();
  const number = mac.readUInt32BE(mac[31] & 0x0f) & 0x7fff_ffff;
  return String(number % 1_000_000).padStart(6, '0');
}
