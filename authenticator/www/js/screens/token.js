// @ts-check
// One token: how it stands, its name and place in the list, its renewal, its unfinished activation, and how to be rid of it.

import { confirm, field, h, toast } from '../dom.js';
import { sentence } from '../refusals.js';
import { day, length, moment, t } from '../text.js';
import { activate } from './activate.js';
import { nameOf, serviceOf } from './names.js';

/** @typedef {import('../core/types.js').TokenView} TokenView */

/** @type {import('../app.js').MakeScreen} */
export function tokenScreen(app, _query, id) {
  const token = app.opened.tokens.find((one) => one.id === id);
  if (!token) {
    queueMicrotask(() => app.go('', { replace: true }));
    return { title: t('phone-token-details'), root: h('div', {}), back: '' };
  }
  const title = nameOf(token);
  const root = h(
    'div',
    {},
    h('h1', { tabindex: -1 }, title),
    token.state === 'active' ? null : unfinished(app, token),
    h('section', { class: 'card' }, facts(token)),
    token.expiresAtMs === null ? null : renewal(app, token),
    naming(app, token),
    app.opened.tokens.length > 1 ? ordering(app, token) : null,
    removal(app, token),
  );
  // Renewed or suspended meanwhile, by another tab or the server: shown at once.
  const look = async () => {
    const now = (await app.core.tokens().catch(() => [])).find((one) => one.id === id);
    if (now) root.querySelector('.facts')?.replaceWith(facts(now));
  };
  const changed = app.core.on('changed', look);
  look();
  return { title, root, back: '', leave: changed };
}

/** @param {TokenView} token */
function standingText({ state, standing }) {
  if (state === 'pending') return t('phone-state-pending');
  if (state === 'started') return t('phone-state-started');
  if (standing === 'activated') return t('phone-standing-activated');
  if (standing === 'in_use') return t('phone-standing-in-use');
  if (standing === 'suspended') return t('phone-standing-suspended');
  if (standing === 'revoked') return t('phone-standing-revoked');
  if (standing === 'expired') return t('phone-standing-expired');
  return t('phone-standing-unknown');
}

/** @param {TokenView} token */
function clockText({ clock }) {
  const values = { amount: length(clock.offsetMs) };
  if (clock.reason === 'clock_backwards') return t('phone-clock-backwards');
  if (clock.reason === 'clock_unsure') return t('phone-clock-unsure');
  if (clock.state === 'unchecked') return t('phone-clock-unchecked');
  if (clock.state === 'right') return t('phone-clock-right');
  return clock.offsetMs > 0 ? t('phone-clock-slow', values) : t('phone-clock-fast', values);
}

/** @param {TokenView} token */
function facts(token) {
  const rows = /** @type {[string, string, string?][]} */ ([
    [t('phone-service'), serviceOf(token)],
    [t('service-id'), token.serviceId, 'id'],
    [t('token-user-id'), token.tokenUserId.replace(/^(\d{4})(\d{4})(\d{4})(\d{2})$/, '$1-$2-$3-$4'), 'id'],
    ...(token.userName ? [[t('phone-user-name'), token.userName]] : []),
    [t('phone-standing'), standingText(token) + (token.sinceMs === null ? '' : ` (${t('phone-since', { at: moment(token.sinceMs) })})`)],
    ...(token.state === 'active' ? [[t('phone-clock'), clockText(token)]] : []),
    ...(token.checkedAtMs === null ? [] : [[t('phone-checked'), moment(token.checkedAtMs)]]),
    ...(token.expiresAtMs === null ? [] : [[t('phone-expires-label'), day(token.expiresAtMs)]]),
    ...(token.helpDesk ? [[t('help-desk'), token.helpDesk]] : []),
  ]);
  return h('dl', { class: 'facts' }, rows.map(([label, value, look]) => h('div', {}, h('dt', {}, label), h('dd', { class: look }, value))));
}

/** @param {import('../app.js').App} app @param {TokenView} token */
function unfinished(app, token) {
  const { id } = token;
  const password =
    token.state === 'pending'
      ? null
      : field({
          id: 'activation-password',
          label: t('activation-password'),
          hint: t('phone-activation-password-hint'),
          input: h('input', { type: 'password', class: 'short', autocomplete: 'one-time-code', inputmode: 'numeric', maxlength: 16, required: true }),
        });
  return h(
    'section',
    {},
    h('h2', {}, t('phone-unfinished-title')),
    h(
      'form',
      {
        class: 'card',
        novalidate: true,
        onsubmit(/** @type {SubmitEvent} */ event) {
          event.preventDefault();
          const digits = password?.input.value.normalize('NFKC').replace(/\s/gu, '');
          const wrong = digits !== undefined && !/^\d{4,8}$/.test(digits);
          password?.fault(wrong ? t('phone-activation-password-form') : null);
          if (wrong) {
            password?.input.focus();
            return;
          }
          const go = (/** @type {string} */ of, /** @type {any} */ onStage) => app.core.resume(of, { password: digits }, onStage);
          activate(app, { run: (onStage) => go(id, onStage), again: go }).catch((error) => app.fail(error));
        },
      },
      h('p', {}, password ? t('phone-unfinished-password') : t('phone-unfinished')),
      password?.root,
      h('div', { class: 'actions' }, h('button', { type: 'submit' }, password ? t('phone-send') : t('phone-go-on'))),
    ),
  );
}

/** @param {import('../app.js').App} app @param {TokenView} token */
function renewal(app, token) {
  const from = token.renewableFromMs;
  const open = from !== null && Date.now() + token.clock.offsetMs >= from && (token.standing === 'in_use' || token.standing === 'activated');
  const said = h('p', { class: 'wrong', hidden: true, role: 'alert' });
  const button = h('button', { type: 'button', disabled: !open, onclick: renew }, t('phone-renew'));
  async function renew() {
    button.disabled = true;
    said.hidden = true;
    try {
      const outcome = await app.core.renew(token.id);
      if ('ok' in outcome) {
        toast(t('phone-renewed'));
        await app.reload();
        app.show();
        return;
      }
      said.textContent = 'refused' in outcome ? sentence(outcome.refused) : t('phone-unreachable');
      said.hidden = false;
    } catch (error) {
      app.fail(error);
    } finally {
      button.disabled = !open;
    }
  }
  return h(
    'section',
    {},
    h('h2', {}, t('phone-renewal-title')),
    h('p', {}, open || from === null ? t('phone-renewal-about') : t('phone-renewal-from', { day: day(from) })),
    said,
    h('div', { class: 'actions' }, button),
  );
}

/** @param {import('../app.js').App} app @param {TokenView} token */
function naming(app, token) {
  const name = field({
    id: 'token-name',
    label: t('phone-name'),
    hint: t('phone-name-hint'),
    input: h('input', { type: 'text', autocomplete: 'off', maxlength: 60 }),
  });
  name.input.value = token.name ?? '';
  return h(
    'form',
    {
      novalidate: true,
      async onsubmit(/** @type {SubmitEvent} */ event) {
        event.preventDefault();
        try {
          const outcome = await app.core.rename(token.id, name.input.value.trim() || null);
          name.fault('refused' in outcome ? sentence(outcome.refused) : null);
          if ('refused' in outcome) {
            name.input.focus();
            return;
          }
          toast(t('phone-saved'));
          await app.reload();
          app.show();
        } catch (error) {
          app.fail(error);
        }
      },
    },
    name.root,
    h('div', { class: 'actions' }, h('button', { type: 'submit', class: 'button-second' }, t('phone-save'))),
  );
}

/** @param {import('../app.js').App} app @param {TokenView} token */
function ordering(app, token) {
  const at = app.opened.tokens.findIndex((one) => one.id === token.id);
  const last = app.opened.tokens.length - 1;
  const move = async (/** @type {number} */ by, /** @type {string} */ name) => {
    try {
      await app.core.move(token.id, at + by);
      await app.reload();
      await app.show();
      /** @type {HTMLElement | null} */ (document.querySelector(`[data-move="${name}"]:not(:disabled)`) ?? document.querySelector('[data-move]:not(:disabled)'))?.focus();
    } catch (error) {
      app.fail(error);
    }
  };
  return h(
    'section',
    {},
    h('h2', {}, t('phone-order')),
    h('p', {}, t('phone-order-now', { at: at + 1, all: last + 1 })),
    h(
      'div',
      { class: 'actions' },
      h('button', { type: 'button', class: 'button-second', 'data-move': 'up', disabled: at === 0, onclick: () => move(-1, 'up') }, t('phone-move-up')),
      h('button', { type: 'button', class: 'button-second', 'data-move': 'down', disabled: at === last, onclick: () => move(1, 'down') }, t('phone-move-down')),
    ),
  );
}

/** @param {import('../app.js').App} app @param {TokenView} token */
function removal(app, token) {
  const over = token.standing === 'revoked' || token.standing === 'expired';
  const consequence = over ? t('phone-remove-over') : token.state === 'active' ? t('phone-remove-active') : t('phone-remove-unfinished');
  return h(
    'section',
    {},
    h('h2', {}, t('phone-remove-title')),
    h('p', {}, consequence),
    h('div', { class: 'actions' }, h('button', { type: 'button', class: 'button-danger', onclick: remove }, t('phone-remove'))),
  );

  async function remove() {
    const words = [h('p', {}, consequence), h('p', {}, t('phone-remove-final'))];
    const sure = await confirm({ title: t('phone-remove-question', { name: nameOf(token) }), words, yes: t('phone-remove-yes'), no: t('phone-cancel') });
    if (!sure) return;
    try {
      await app.core.remove(token.id);
      await app.reload();
      toast(t('phone-removed'));
      app.go('', { replace: true });
    } catch (error) {
      app.fail(error);
    }
  }
}
