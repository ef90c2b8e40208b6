// @ts-check
// J3: service id, user id, activation password, 送信. The first screen of an app without tokens, and "add token" later.

import { CoreError } from '../core/errors.js';
import { field, h } from '../dom.js';
import { idsIn } from '../link.js';
import { sentence, userIdSentence } from '../refusals.js';
import { t } from '../text.js';
import { activate } from './activate.js';

/** Tokens that one app holds (J3, R60). The core refuses the next one; the form says so before anything is typed. */
const TOKENS_MAX = 10;

/** What was typed, while the scanner or the lock is on the screen. The password is never among it. */
const draft = { serviceId: '', tokenUserId: '' };

/** The next person must not find what the last one typed. */
export function forgetDraft() {
  Object.assign(draft, { serviceId: '', tokenUserId: '' });
}

/** @type {import('../app.js').MakeScreen} */
export function addScreen(app, query) {
  const first = app.opened.count === 0;
  const title = first ? t('phone-first-title') : t('phone-add-title');
  const back = first ? undefined : '';
  // What has become a token is no draft any more.
  const digitsOf = (/** @type {string} */ id) => id.normalize('NFKC').replace(/\D/gu, '');
  const isThere = app.opened.tokens.some(({ state, tokenUserId }) => state === 'active' && tokenUserId === digitsOf(draft.tokenUserId));
  if (isThere) forgetDraft();
  const ids = idsIn(query);
  if (ids) {
    Object.assign(draft, ids);
    // The address stays free of ids: it is what a history keeps.
    history.replaceState(null, '', '#/add');
  }
  if (app.opened.count >= TOKENS_MAX) {
    const root = h(
      'div',
      {},
      h('h1', { tabindex: -1 }, title),
      h('div', { class: 'note note-warning' }, h('p', {}, sentence('app_full'))),
      h('p', {}, h('a', { href: '#/', class: 'button' }, t('phone-to-codes'))),
    );
    return { title, root, back };
  }

  const serviceId = field({
    id: 'service-id',
    label: t('service-id'),
    hint: t('phone-service-id-hint'),
    input: h('input', { type: 'text', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', maxlength: 64, required: true }),
  });
  const tokenUserId = field({
    id: 'token-user-id',
    label: t('token-user-id'),
    hint: t('phone-user-id-hint'),
    input: h('input', { type: 'text', autocomplete: 'off', inputmode: 'numeric', spellcheck: 'false', maxlength: 40, required: true }),
  });
  const password = field({
    id: 'activation-password',
    label: t('activation-password'),
    hint: t('phone-activation-password-hint'),
    input: h('input', { type: 'password', class: 'short', autocomplete: 'one-time-code', inputmode: 'numeric', maxlength: 16, required: true }),
    after: h('button', { type: 'button', class: 'button-quiet', 'aria-pressed': 'false', onclick: showPassword }, t('phone-show-password')),
  });
  serviceId.input.value = draft.serviceId;
  tokenUserId.input.value = grouped(draft.tokenUserId);
  for (const { input } of [serviceId, tokenUserId]) input.addEventListener('input', keep);

  const problems = h('div', { class: 'problems', role: 'alert', tabindex: -1, hidden: true });
  const button = h('button', { type: 'submit' }, t('phone-send'));
  const form = h(
    'form',
    { class: 'card', novalidate: true, onsubmit: send },
    h(
      'p',
      { class: 'scan-offer' },
      h('a', { href: '#/scan', class: 'button button-second' }, t('phone-scan')),
      h('span', { class: 'hint' }, t('phone-scan-about')),
    ),
    serviceId.root,
    tokenUserId.root,
    password.root,
    h('div', { class: 'actions' }, button),
  );
  const root = h(
    'div',
    {},
    h('h1', { tabindex: -1 }, title),
    app.opened.evicted && first ? h('div', { class: 'note note-warning', role: 'status' }, h('p', {}, t('phone-evicted'))) : null,
    // On an iPhone the app on the home screen has a storage of its own: what Safari holds does not come along.
    first && /** @type {any} */ (navigator).standalone === false ? h('div', { class: 'note note-warning' }, h('p', {}, t('phone-install-first'))) : null,
    h('p', {}, first ? t('phone-first-about') : t('phone-add-about')),
    problems,
    form,
    // A lock that is set before the first token protects that one too.
    h('p', { class: 'app-foot' }, h('a', { href: '#/help' }, t('phone-help-title')), first ? h('a', { href: '#/settings' }, t('phone-settings')) : null),
  );
  if (ids) queueMicrotask(() => password.input.focus());

  function keep() {
    draft.serviceId = serviceId.input.value;
    draft.tokenUserId = tokenUserId.input.value;
  }

  /** @param {MouseEvent} event */
  function showPassword({ currentTarget }) {
    const shown = password.input.type === 'text';
    password.input.type = shown ? 'password' : 'text';
    /** @type {HTMLElement} */ (currentTarget).setAttribute('aria-pressed', String(!shown));
  }

  /** @param {SubmitEvent} event */
  async function send(event) {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    const typed = { serviceId: serviceId.input.value, tokenUserId: tokenUserId.input.value };
    const digits = password.input.value.normalize('NFKC').replace(/\s/gu, '');
    try {
      const checked = await app.core.checkIds(typed);
      serviceId.fault(checked.serviceId.refusal && sentence(checked.serviceId.refusal));
      tokenUserId.fault(checked.tokenUserId.refusal && userIdSentence(checked.tokenUserId.refusal));
      password.fault(/^\d{4,8}$/.test(digits) ? null : t('phone-activation-password-form'));
      const wrong = [serviceId, tokenUserId, password].filter(({ input }) => input.hasAttribute('aria-invalid'));
      problems.hidden = wrong.length === 0;
      problems.replaceChildren(
        h('h2', {}, t('problems-title')),
        h('ul', {}, wrong.map(({ input, root: part }) => h('li', {}, h('a', { href: `#${input.id}`, onclick: jump }, part.querySelector('.wrong')?.textContent ?? '')))),
      );
      document.title = `${wrong.length > 0 ? t('title-problem') : ''}${title} | Warifu`;
      if (wrong.length > 0) {
        problems.focus();
        return;
      }
      password.input.value = '';
      const order = { serviceId: checked.serviceId.value, tokenUserId: checked.tokenUserId.value, password: digits };
      await activate(app, {
        run: (onStage) => app.core.begin(order, onStage),
        again: (id, onStage) => app.core.resume(id, { password: digits }, onStage),
      });
    } catch (error) {
      if (root.isConnected && error instanceof CoreError && error.code === 'not_loaded') {
        // The next try fetches what did not come. What was typed stays.
        problems.replaceChildren(h('p', {}, sentence('service_unavailable')));
        problems.hidden = false;
        problems.focus();
      } else app.fail(error);
    } finally {
      button.disabled = false;
    }
  }

  return { title, root, back, plain: first };
}

/** Follows a link to a field without touching the address, which names the screen. @param {MouseEvent} event */
function jump(event) {
  event.preventDefault();
  const { hash } = new URL(/** @type {HTMLAnchorElement} */ (event.currentTarget).href);
  document.getElementById(hash.slice(1))?.focus();
}

/** The 14 digits in the groups of the mail; anything else as it is. @param {string} id */
function grouped(id) {
  return /^\d{14}$/.test(id) ? id.replace(/^(\d{4})(\d{4})(\d{4})(\d{2})$/, '$1-$2-$3-$4') : id;
}
