// A phone's browser with a profile on the disk: it can be closed, killed and started again, with its clock where it is wanted.
import { rmSync } from 'node:fs';
import { chromium } from '@playwright/test';
import { PhoneApp } from './phone_app.js';
import { withClock, withClockFile } from './machine.js';

/**
 * @typedef {object} Look
 * @property {import('./app_labels.js').AppLabels} words
 * @property {string | undefined} locale
 * @property {string | undefined} timezoneId
 * @property {import('@playwright/test').LaunchOptions} launchOptions
 */

export class PhoneBrowser {
  /** @param {string} profile folder @param {Look} look */
  constructor(profile, look) {
    this.profile = profile;
    this.look = look;
    /** @type {import('@playwright/test').BrowserContext | undefined} */
    this.context = undefined;
  }

  /**
   * Starts it.
   *
   * @param {{ ahead_s?: number, clockFile?: string, args?: string[], permissions?: string[] }} [how] `ahead_s`: of its clock before
   *   ours; `clockFile`: where `setClock` sets it while it runs
   * @returns {Promise<PhoneApp>} the app, not yet opened
   */
  async start({ ahead_s = 0, clockFile, args = [], permissions } = {}) {
    const clock = clockFile ? withClockFile(clockFile) : withClock(ahead_s);
    const { words, locale, timezoneId, launchOptions } = this.look;
    this.context = await chromium.launchPersistentContext(this.profile, {
      ...launchOptions,
      // What moves the clock is shared with every process of the browser, and its sandbox would not let them see it.
      args: [...(launchOptions.args ?? []), ...(Object.keys(clock).length === 0 ? [] : ['--no-sandbox']), ...args],
      env: /** @type {Record<string, string>} */ ({ ...process.env, ...clock }),
      locale,
      timezoneId,
      permissions,
    });
    return new PhoneApp(this.context.pages()[0], words);
  }

  /** Ends it as its owner does. Again, does nothing. */
  async close() {
    await this.context?.close();
    this.context = undefined;
  }

  /** Ends it as an empty battery does: nothing in it gets to say or write anything any more. */
  async kill() {
    const { context } = this;
    if (!context) throw new Error('the browser does not run');
    const closed = new Promise((resolve) => context.once('close', resolve));
    const session = await /** @type {import('@playwright/test').Browser} */ (context.browser()).newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    for (const { id } of processInfo) {
      try {
        process.kill(id, 'SIGKILL');
      } catch (error) {
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
      }
    }
    await closed;
    this.context = undefined;
    for (const name of ['SingletonLock', 'SingletonSocket', 'SingletonCookie']) rmSync(`${this.profile}/${name}`, { force: true });
  }
}
