// @ts-check
// The codes: one card for each token, with its countdown. Every second each card asks the core for its code, which is how a clock
// that jumped or a token that ended is noticed at once.

import { h, quietly, svg, toast } from '../dom.js';
import { day, length, t } from '../text.js';
import { activate } from './activate.js';
import { nameOf, whoseOf } from './names.js';

/** From so many seconds before the end on, the next code is shown too. */
const NEXT_WITHIN_S = 5;
/** So many seconds before the end, screen readers are told. */
const WARN_AT_S = 10;
/** More tokens than this get a search field. */
const SEARCH_FROM = 5;
/** How often the server is asked while codes are shown, in milliseconds; oftener while a token is suspended. */
const REFRESH_MS = 5 * 60 * 1000;
const REFRESH_SOON_MS = 30 * 1000;
const RING = 2 * Math.PI * 20;

/** @type {import('../app.js').MakeScreen} */
export function codesScreen(app) {
  const title = t('one-time-password');
  const { tokens, settings } = app.opened;
  let hidden = settings.hidden ?? false;
  let left = false;
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const cards = tokens.map((token) => new Card(app, token, tokens.length === 1, () => hidden));

  const hide = h('button', { type: 'button', class: 'button-quiet', hidden: true, onclick: toggle });
  const list = h('ul', { class: 'tokens' }, cards.map(({ root }) => root));
  const nothing = h('p', { class: 'empty', hidden: true }, t('phone-search-nothing'));
  const search = h('input', { type: 'search', id: 'search', autocomplete: 'off', oninput: filter });
  const root = h(
    'div',
    {},
    h('div', { class: 'codes-head' }, h('h1', { tabindex: -1 }, title), hide),
    tokens.length > SEARCH_FROM ? h('div', { class: 'field' }, h('label', { for: 'search' }, t('phone-search')), search) : null,
    list,
    nothing,
  );
  sayHidden();

  function sayHidden() {
    hide.textContent = hidden ? t('phone-show-codes') : t('phone-hide-codes');
  }

  async function toggle() {
    hidden = !hidden;
    sayHidden();
    for (const card of cards) card.cover();
    await tick();
    app.opened.settings = await app.core.setSettings({ hidden });
  }

  function filter() {
    const wanted = search.value.normalize('NFKC').toLocaleLowerCase();
    for (const card of cards) card.root.hidden = !card.words.includes(wanted);
    nothing.hidden = cards.some((card) => !card.root.hidden);
    quietly(nothing.hidden ? '' : nothing.textContent ?? '');
  }

  async function tick() {
    clearTimeout(timer);
    if (left) return;
    let untilMs = 1000;
    if (document.visibilityState === 'visible') {
      const heard = await Promise.all(cards.map((card) => card.tick().catch((error) => void (left || app.fail(error)))));
      // A clock that jumped, or one that is right again: what is said about it is asked for anew.
      if (cards.some((card) => card.turned())) await look();
      hide.hidden = cards.every(({ gives }) => !gives);
      const now = heard.find((serverNowMs) => serverNowMs !== undefined);
      if (now !== undefined) untilMs = 1000 - (now % 1000);
    }
    if (!left) timer = setTimeout(tick, Math.max(untilMs, 50));
  }

  async function refresh() {
    if (left) return;
    if (document.visibilityState === 'visible') await app.refresh();
    const urgent = app.opened.tokens.some((token) => token.standing === 'suspended' || token.clock.state === 'refused');
    refreshes = setTimeout(refresh, urgent ? REFRESH_SOON_MS : REFRESH_MS);
  }
  let refreshes = setTimeout(refresh, REFRESH_SOON_MS);

  async function look() {
    const now = await app.core.tokens().catch(() => null);
    if (left || !now) return;
    const same = now.length === cards.length && now.every((token, at) => token.id === cards[at].token.id && token.state === cards[at].token.state);
    if (!same) {
      app.opened.tokens = now;
      app.opened.count = now.length;
      if (!app.busy) app.show();
      return;
    }
    for (const [at, token] of now.entries()) cards[at].show(token);
  }
  const renew = () => look().then(tick);
  const changed = app.core.on('changed', renew);
  const visible = () => document.visibilityState === 'visible' && tick();
  document.addEventListener('visibilitychange', visible);
  tick();
  // What changed since the screens were told is not told again: the standing of a new token comes while its completion page is shown.
  renew();
  // What needs no password goes on by itself.
  const unfinished = tokens.find((token) => token.state === 'pending');
  if (unfinished) queueMicrotask(() => !left && !app.busy && app.core.resume(unfinished.id).catch(() => {}));

  return {
    title,
    root,
    leave() {
      left = true;
      changed();
      clearTimeout(timer);
      clearTimeout(refreshes);
      document.removeEventListener('visibilitychange', visible);
    },
  };
}

/** One token on the screen. */
class Card {
  /** What a search looks at. */
  words = '';
  #app;
  #alone;
  #isHidden;
  #code = '';
  /** The codes that were asked for by a press and are shown although codes are hidden. @type {string[]} */
  #peeked = [];
  #warned = false;
  /** @type {boolean | undefined} */
  #refused;
  #turned = false;
  #name = h('a', {});
  #whose = h('p', { class: 'whose' });
  #digits = h('span', { class: 'digits', 'aria-hidden': 'true' });
  #spoken = h('span', { class: 'visually-hidden' });
  #button = h('button', { type: 'button', class: 'code', onclick: () => this.#press() }, this.#digits, this.#spoken);
  #arc = svg('circle', { class: 'ring-left', cx: 24, cy: 24, r: 20, 'stroke-dasharray': RING });
  #seconds = svg('text', { x: 24, y: 24, class: 'ring-text' });
  #ring = svg('svg', { viewBox: '0 0 48 48', class: 'ring', 'aria-hidden': 'true' }, svg('circle', { class: 'ring-all', cx: 24, cy: 24, r: 20 }), this.#arc, this.#seconds);
  #under = h('p', { class: 'under-code', hidden: true });
  #shown = h('div', { class: 'token-code', hidden: true }, this.#button, this.#ring);
  #notes = h('div', { class: 'token-notes' });

  /**
   * @param {import('../app.js').App} app
   * @param {import('../core/types.js').TokenView} token
   * @param {boolean} alone
   * @param {() => boolean} isHidden
   */
  constructor(app, token, alone, isHidden) {
    this.#app = app;
    this.#alone = alone;
    this.#isHidden = isHidden;
    this.token = token;
    this.root = h(
      'li',
      { class: `card token${alone ? ' token-alone' : ''}`, 'data-token': token.id },
      h('div', { class: 'token-head' }, h('h2', {}, this.#name), this.#whose),
      this.#shown,
      this.#under,
      this.#notes,
    );
    this.show(token);
  }

  /** @param {import('../core/types.js').TokenView} token */
  show(token) {
    this.token = token;
    this.#name.href = `#/token/${token.id}`;
    this.#name.textContent = nameOf(token);
    this.#whose.textContent = whoseOf(token);
    this.words = `${nameOf(token)} ${whoseOf(token)} ${token.serviceId}`.normalize('NFKC').toLocaleLowerCase();
    if (token.state !== 'active') this.#note('unfinished', [h('p', {}, t('phone-unfinished')), this.#goOn()]);
  }

  /** Whether there is a code to be seen or hidden. */
  get gives() {
    return !this.#shown.hidden;
  }

  /** Whether a code is given now and was refused before, or the other way; asked once. */
  turned() {
    const turned = this.#turned;
    this.#turned = false;
    return turned;
  }

  /** Hides the code that was asked for. */
  cover() {
    this.#peeked = [];
  }

  /**
   * Shows the code of now.
   *
   * @param {{ pressed?: boolean }} [how] `pressed`: although codes are hidden. Shortly before its end, the next one stays in sight too:
   *   a press at the change of the step is not in vain
   * @returns {Promise<number | undefined>} the server's time by this token's clock
   */
  async tick({ pressed = false } = {}) {
    if (this.token.state !== 'active') return undefined;
    const now = await this.#app.core.code(this.token.id);
    const refused = 'refused' in now;
    this.#turned ||= this.#refused !== undefined && this.#refused !== refused;
    this.#refused = refused;
    if ('refused' in now) {
      this.#shown.hidden = true;
      this.#under.hidden = true;
      this.#refuse(now.refused);
      return undefined;
    }
    const { code, next, stepS, secondsLeft, serverNowMs } = now;
    if (pressed) this.#peeked = secondsLeft <= NEXT_WITHIN_S ? [code, next] : [code];
    if (code !== this.#code) {
      this.#code = code;
      this.#peeked = this.#peeked.filter((asked) => asked === code || asked === next);
      // The same words again would be no change, and not be said.
      if (this.#warned) quietly('');
      this.#warned = false;
    }
    const hidden = this.#isHidden() && !this.#peeked.includes(code);
    put(this.#digits, grouped(hidden ? '•'.repeat(code.length) : code));
    put(this.#spoken, hidden ? t('phone-code-hidden') : t('phone-code-spoken', { digits: [...code].join(' ') }));
    put(this.#seconds, String(secondsLeft));
    this.#arc.setAttribute('stroke-dashoffset', String(RING * (1 - secondsLeft / stepS)));
    this.root.classList.toggle('token-ends', secondsLeft <= NEXT_WITHIN_S);
    this.#shown.hidden = false;
    this.#under.hidden = false;
    put(this.#under, this.#wordsUnder({ hidden, secondsLeft, next }));
    if (secondsLeft <= WARN_AT_S && !this.#warned && (this.#alone || this.root.contains(document.activeElement))) {
      this.#warned = true;
      quietly(t('phone-changes-soon', { seconds: secondsLeft }));
    }
    this.#noteClock();
    return serverNowMs;
  }

  /** @param {{ hidden: boolean, secondsLeft: number, next: string }} now */
  #wordsUnder({ hidden, secondsLeft, next }) {
    if (!hidden && secondsLeft <= NEXT_WITHIN_S) return t('phone-next-code', { code: grouped(next) });
    // Said once, and not under each of ten.
    if (!this.#alone) return '';
    return hidden ? t('phone-press-to-show') : t('phone-press-to-copy');
  }

  #noteClock() {
    const { clock, expiresAtMs, renewableFromMs } = this.token;
    const now = Date.now() + clock.offsetMs;
    if (clock.state === 'warn') {
      const values = { amount: length(clock.offsetMs) };
      const off = clock.offsetMs > 0 ? t('phone-clock-slow', values) : t('phone-clock-fast', values);
      this.#note(`warn ${off}`, [h('p', {}, off), h('p', {}, h('a', { href: '#/help' }, t('phone-clock-help')))]);
    } else if (expiresAtMs !== null && renewableFromMs !== null && now >= renewableFromMs) {
      const ends = t('phone-expires', { day: day(expiresAtMs) });
      this.#note(`renew ${ends}`, [h('p', {}, ends), h('p', {}, h('a', { href: `#/token/${this.token.id}` }, t('phone-renew')))]);
    } else if (clock.state === 'unchecked') this.#note('unchecked', [h('p', { class: 'hint' }, t('phone-clock-unchecked'))], false);
    else this.#note('', []);
  }

  /** @param {import('../core/types.js').CodeRefusal | import('../core/types.js').ClockRefusal} refused */
  #refuse(refused) {
    const { helpDesk } = this.token;
    const desk = helpDesk ? h('p', { class: 'help-desk' }, `${t('help-desk')}: ${helpDesk}`) : null;
    if (refused === 'suspended') this.#note(refused, [h('p', {}, h('strong', {}, t('phone-suspended'))), h('p', {}, t('phone-suspended-next')), desk]);
    else if (refused === 'revoked') this.#note(refused, [h('p', {}, h('strong', {}, t('phone-revoked'))), h('p', {}, t('phone-revoked-next')), this.#details()]);
    else if (refused === 'expired') this.#note(refused, [h('p', {}, h('strong', {}, t('phone-expired'))), h('p', {}, t('phone-expired-next')), this.#details()]);
    else if (refused === 'clock_backwards') this.#note(refused, [h('p', {}, h('strong', {}, t('phone-clock-backwards'))), this.#mend()]);
    else if (refused === 'clock_unsure') this.#note(refused, [h('p', {}, h('strong', {}, t('phone-clock-unsure'))), this.#mend()]);
    else this.#note(refused, [h('p', {}, t('phone-unfinished')), this.#goOn()]);
  }

  #mend() {
    return h(
      'div',
      { class: 'actions' },
      h('button', { type: 'button', class: 'button-quiet', onclick: () => this.#app.refresh() }, t('phone-check-clock')),
      h('a', { href: '#/help', class: 'button button-quiet' }, t('phone-clock-help')),
    );
  }

  #details() {
    return h('p', {}, h('a', { href: `#/token/${this.token.id}` }, t('phone-token-details')));
  }

  #goOn() {
    const { id, state } = this.token;
    const run = () =>
      activate(this.#app, {
        run: (onStage) => this.#app.core.resume(id, {}, onStage),
        again: (again, onStage) => this.#app.core.resume(again, {}, onStage),
      }).catch((error) => this.#app.fail(error));
    const button =
      state === 'pending'
        ? h('button', { type: 'button', onclick: run }, t('phone-go-on'))
        : h('a', { href: `#/token/${id}`, class: 'button' }, t('phone-go-on'));
    return h('div', { class: 'actions' }, button);
  }

  /**
   * Shows notes under the code; the same ones stay as they are, so that a focus in them stays too.
   *
   * @param {string} key @param {import('../dom.js').Child[]} children @param {boolean} [loud]
   */
  #note(key, children, loud = true) {
    if (this.#notes.dataset.key === key) return;
    this.#notes.dataset.key = key;
    const shown = children.filter((child) => child !== null);
    this.#notes.replaceChildren(...(shown.length === 0 ? [] : [h('div', { class: loud ? 'note note-warning' : null, role: loud ? 'status' : null }, shown)]));
  }

  async #press() {
    if (this.#isHidden() && !this.#peeked.includes(this.#code)) {
      await this.tick({ pressed: true });
      return;
    }
    try {
      await navigator.clipboard.writeText(this.#code);
      toast(t('phone-copied'));
    } catch {
      toast(t('phone-not-copied'));
    }
  }
}

/** The digits in two groups: `123 456`, `123 4567`, `1234 5678`. @param {string} code */
function grouped(code) {
  const half = Math.floor(code.length / 2);
  return `${code.slice(0, half)} ${code.slice(half)}`;
}

/** @param {Element} element @param {string} words */
function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}
