// @ts-check
// The app on the page: it opens the core, shows one screen at a time by the part of the address behind the `#`, hides what is
// shown when nobody should see it, and takes new versions. What a screen shows is in `screens/`; tokens and keys are in the
// core's worker and never here.

import { CoreError } from './core/errors.js';
import { h, part, quietly } from './dom.js';
import { guardTheScreen } from './privacy.js';
import { faultSentence } from './refusals.js';
import { core, opening } from './start.js';
import { LANGUAGES, preferred, speak, spoken, t } from './text.js';
import { Updates } from './updates.js';
import { addScreen, forgetDraft } from './screens/add.js';
import { codesScreen } from './screens/codes.js';
import { lockScreen } from './screens/lock.js';
import { troubleScreen } from './screens/trouble.js';

/**
 * @typedef {object} Screen
 * @property {string} title of the page
 * @property {HTMLElement} root
 * @property {string} [back] where the way back leads; none on the first screen
 * @property {boolean} [plain] without the tools in the head
 * @property {() => void} [leave] when another screen takes its place
 */

/** @typedef {(app: App, query: URLSearchParams, id: string) => Screen} MakeScreen */

/** The screens by their address. Those that no start of the app begins with are loaded when they are wanted. @type {[RegExp, MakeScreen | (() => Promise<MakeScreen>)][]} */
const SCREENS = [
  [/^$/, (app, query, id) => (app.opened.count === 0 ? addScreen : codesScreen)(app, query, id)],
  [/^add$/, addScreen],
  [/^scan$/, async () => (await import('./screens/scan.js')).scanScreen],
  [/^token\/([0-9a-f]+)$/, async () => (await import('./screens/token.js')).tokenScreen],
  [/^settings$/, async () => (await import('./screens/settings.js')).settingsScreen],
  [/^settings\/lock$/, async () => (await import('./screens/lock-settings.js')).lockSettingsScreen],
  [/^help$/, async () => (await import('./screens/help.js')).helpScreen],
];

/** What the screens share. */
export class App {
  core = core;
  updates = new Updates(() => this.#showBar());
  /** @type {import('./core/types.js').Opened} */
  opened = /** @type {any} */ (undefined);
  /** An activation is under way: nothing may replace the page. */
  busy = false;
  /** @type {Screen | undefined} */
  #screen;
  /** The screen is the one of the address. Others stay until their own buttons are pressed. */
  #ofAddress = false;

  async start() {
    await speak(preferred());
    try {
      this.opened = await opening;
    } catch (error) {
      this.fail(error);
      return;
    }
    const { language } = this.opened.settings;
    if (language && language !== spoken()) await speak(preferred(language));
    this.core.on('changed', () => this.#changed());
    this.core.on('locked', () => this.#changed());
    guardTheScreen(this);
    window.addEventListener('hashchange', () => this.show());
    await this.updates.start({ mayReload: () => !this.busy });
    this.show();
    if (!this.opened.locked) this.refresh();
    window.addEventListener('online', () => this.refresh());
  }

  /** Looks at what the core holds, again. */
  async reload() {
    try {
      this.opened = await this.core.open();
    } catch (error) {
      this.fail(error);
    }
  }

  /** The address of the screen, without its `#/`. */
  get path() {
    return location.hash.replace(/^#\/?/, '').split('?')[0];
  }

  /** Goes to a screen: the address without its `#/`. @param {string} path @param {{ replace?: boolean }} [how] */
  go(path, { replace = false } = {}) {
    const hash = `#/${path}`;
    if (replace) history.replaceState(null, '', hash);
    else if (location.hash !== hash) {
      location.hash = hash;
      return;
    }
    this.show();
  }

  /** Shows the screen of the address; what it is made of may have to be loaded first. */
  async show() {
    // What a screen is made of would come from another version than the page.
    if (this.updates.stale && !this.busy) {
      location.reload();
      return;
    }
    if (this.#lockedUp()) return;
    const [, query = ''] = location.hash.split('?');
    for (const [shape, make] of SCREENS) {
      const found = shape.exec(this.path);
      if (found) {
        await this.#putScreen(make, new URLSearchParams(query), found[1] ?? '');
        return;
      }
    }
    this.go('', { replace: true });
  }

  /**
   * @param {MakeScreen | (() => Promise<MakeScreen>)} make
   * @param {URLSearchParams} query
   * @param {string} id
   */
  async #putScreen(make, query, id) {
    const { hash } = location;
    let made = make(this, query, id);
    if (made instanceof Promise) {
      let loaded;
      try {
        loaded = await made;
      } catch {
        this.fail(new CoreError('not_loaded'));
        return;
      }
      // Somebody went on, or the app was locked, while it was loading.
      if (location.hash !== hash || this.opened.locked || this.opened.erased) return;
      made = loaded(this, query, id);
    }
    this.#put(made);
    this.#ofAddress = true;
  }

  /**
   * Shows what became of an activation that was left, where it can be seen: in the list, and on the page of its token. Every other screen
   * stays, with what is being typed there; so does the lock.
   *
   * @param {string} id of the token
   */
  showChange(id) {
    const { erased, locked } = this.opened;
    const seen = this.#ofAddress && !locked && !erased && ['', `token/${id}`].includes(this.path);
    if (seen) this.show();
    else this.#showBar();
  }

  /** Shows a screen that has no address, such as the progress of an activation. @param {Screen} screen */
  put(screen) {
    if (this.#lockedUp()) return;
    this.#put(screen);
    this.#ofAddress = false;
  }

  /** Shows the lock and nothing else while the app is locked. */
  #lockedUp() {
    const { opened } = this;
    if (!opened.erased && !opened.locked) return false;
    for (const dialog of document.querySelectorAll('dialog')) dialog.close('no');
    forgetDraft();
    this.#put(lockScreen(this));
    return true;
  }

  /** @param {import('./text.js').Language} language */
  async changeLanguage(language) {
    await speak(language);
    await this.core.setSettings({ language }).catch((error) => this.fail(error));
    await this.reload();
    this.show();
  }

  /** Asks the server for the standing of the tokens; does nothing where it cannot be reached. */
  async refresh() {
    try {
      await this.core.refresh();
    } catch {
      // Out of reach, or locked in the meantime: the app works without.
    }
  }

  /** Shows that something failed that should not. @param {unknown} error */
  fail(error) {
    const code = error instanceof CoreError ? error.code : 'internal';
    if (code === 'locked') {
      this.#changed();
      return;
    }
    this.#put(troubleScreen(this, faultSentence(code)));
  }

  async #changed() {
    const before = this.opened;
    await this.reload();
    const { opened } = this;
    const otherWay = before.locked !== opened.locked || before.erased !== opened.erased;
    // Whatever is under way: it goes on behind the lock, with what it held when it began.
    if (otherWay && (opened.locked || opened.erased)) {
      this.show();
      return;
    }
    const first = (before.count === 0) !== (opened.count === 0) && this.path === '';
    if (!this.busy && (otherWay || (first && this.#ofAddress))) this.show();
  }

  /** @param {Screen} screen */
  #put(screen) {
    const first = !this.#screen;
    this.#screen?.leave?.();
    this.#screen = screen;
    document.title = `${screen.title} | Warifu`;
    const skip = part('skip');
    skip.textContent = t('skip-to-main');
    const main = /** @type {HTMLElement} */ (document.querySelector('main'));
    main.replaceChildren(screen.root);
    this.#showTools(screen);
    this.#showBar();
    quietly('');
    window.scrollTo(0, 0);
    // Where a screen puts the focus itself, it stays there; the page's own beginning is left to the browser.
    if (!first && !main.contains(document.activeElement)) main.querySelector('h1')?.focus();
  }

  /** @param {Screen} screen */
  #showTools(screen) {
    const tools = part('tools');
    tools.setAttribute('aria-label', t('phone-tools'));
    const link = (/** @type {string} */ path, /** @type {string} */ words) =>
      h('a', { href: `#/${path}`, class: 'app-tool', 'aria-current': location.hash === `#/${path}` ? 'page' : null }, words);
    if (screen.plain) {
      tools.replaceChildren(this.#languages());
      return;
    }
    if (screen.back !== undefined) tools.replaceChildren(link(screen.back, t('phone-back')));
    else if (this.opened.count > 0) tools.replaceChildren(link('add', t('phone-add')), link('settings', t('phone-settings')));
    else tools.replaceChildren(this.#languages());
  }

  #languages() {
    const names = { ja: '日本語', en: 'English' };
    const others = LANGUAGES.filter((language) => language !== spoken());
    return h(
      'span',
      { class: 'app-languages' },
      others.map((language) =>
        h('button', { type: 'button', class: 'button-quiet', lang: language, onclick: () => this.changeLanguage(language) }, names[language]),
      ),
    );
  }

  #showBar() {
    const bar = part('bar');
    if (!this.updates.ready || !this.opened || this.busy) {
      bar.replaceChildren();
      return;
    }
    bar.replaceChildren(
      h(
        'div',
        { class: 'note app-update', role: 'status' },
        h('p', {}, t('phone-update-ready')),
        h('button', { type: 'button', class: 'button-quiet', onclick: () => this.updates.take() }, t('phone-update-take')),
      ),
    );
  }
}

const app = new App();
app.start().catch((error) => app.fail(error));
