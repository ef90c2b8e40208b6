// @ts-check
// How the app is locked: not at all, by a PIN, or by the device's own user verification.

import { field, h, toast } from '../dom.js';
import { askPasskey, devicesMayVerify, makePasskey } from '../passkey.js';
import { LOCK_AFTER_S } from '../privacy.js';
import { sentence } from '../refusals.js';
import { length, t } from '../text.js';
import { WARN_FROM } from './lock.js';

/** When a lock may fall, in seconds in the background. */
const AFTER_S = [0, 60, 300];

/** @type {import('../app.js').MakeScreen} */
export function lockSettingsScreen(app) {
  const title = t('phone-lock-title');
  const { lock, settings } = app.opened;
  const said = h('p', { class: 'note note-warning', role: 'alert', hidden: true });
  const present =
    lock === 'pin'
      ? field({
          id: 'pin-now',
          label: t('phone-pin-now'),
          hint: t('phone-pin-now-hint'),
          input: h('input', { type: 'password', class: 'short', autocomplete: 'one-time-code', inputmode: 'numeric', maxlength: 16 }),
        })
      : null;
  const root = h(
    'div',
    {},
    h('h1', { tabindex: -1 }, title),
    h('p', {}, t('phone-lock-about')),
    said,
    h(
      'section',
      { class: 'card' },
      h('h2', {}, t('phone-lock-now')),
      h('p', {}, lock === 'pin' ? t('phone-lock-is-pin') : lock === 'device' ? t('phone-lock-is-device') : t('phone-lock-is-none')),
      lock === 'none' ? null : after(),
      present?.root,
      lock === 'none' ? null : h('div', { class: 'actions' }, h('button', { type: 'button', class: 'button-second', onclick: () => change({ kind: 'none' }) }, t('phone-lock-off'))),
    ),
    pin(),
    device(),
  );

  function after() {
    const chosen = settings.lockAfterS ?? LOCK_AFTER_S;
    const select = h(
      'select',
      {
        id: 'lock-after',
        onchange: keep,
      },
      AFTER_S.map((s) => h('option', { value: s, selected: s === chosen }, s === 0 ? t('phone-lock-at-once') : t('phone-lock-after', { amount: length(s * 1000) }))),
    );
    async function keep() {
      const lockAfterS = Number(select.value);
      const now = app.opened.settings.lockAfterS ?? LOCK_AFTER_S;
      try {
        if (lockAfterS > now && !(await isTheOwner())) select.value = String(now);
        else app.opened.settings = await app.core.setSettings({ lockAfterS });
      } catch (error) {
        app.fail(error);
      }
    }
    return h('div', { class: 'field' }, h('label', { for: 'lock-after' }, t('phone-lock-when')), select);
  }

  function pin() {
    const input = () => h('input', { type: 'password', class: 'short', autocomplete: 'one-time-code', inputmode: 'numeric', maxlength: 16, required: true });
    const first = field({ id: 'pin', label: t('phone-pin-new'), hint: t('phone-pin-hint'), input: input() });
    const again = field({ id: 'pin-again', label: t('phone-pin-again'), input: input() });
    return h(
      'section',
      {},
      h('h2', {}, t('phone-lock-pin')),
      h('p', {}, t('phone-lock-pin-about')),
      h(
        'form',
        {
          class: 'card',
          novalidate: true,
          async onsubmit(/** @type {SubmitEvent} */ event) {
            event.preventDefault();
            const typed = [first, again].map((one) => one.input.value.normalize('NFKC').replace(/\s/gu, ''));
            first.fault(/^\d{4,8}$/.test(typed[0]) ? null : sentence('pin_length'));
            again.fault(typed[0] === typed[1] ? null : t('phone-pin-mismatch'));
            const wrong = [first, again].find((one) => one.input.hasAttribute('aria-invalid'));
            if (wrong) wrong.input.focus();
            else await change({ kind: 'pin', pin: typed[0] }, first);
          },
        },
        first.root,
        again.root,
        h('div', { class: 'actions' }, h('button', { type: 'submit' }, lock === 'pin' ? t('phone-pin-change') : t('phone-pin-set'))),
      ),
    );
  }

  function device() {
    const button = h('button', { type: 'button', disabled: true, onclick: make }, t('phone-lock-device-set'));
    const about = h('p', {}, t('phone-lock-device-about'));
    devicesMayVerify().then((may) => {
      button.disabled = !may;
      if (!may) about.textContent = t('phone-lock-device-none');
    });
    async function make() {
      button.disabled = true;
      const made = await makePasskey(t('phone-lock-device-label'));
      button.disabled = false;
      if (made) await change({ kind: 'device', ...made });
      else tell(t('phone-lock-device-failed'));
    }
    return h('section', {}, h('h2', {}, t('phone-lock-device')), about, h('div', { class: 'actions' }, button));
  }

  /** @param {string} words */
  function tell(words) {
    said.textContent = words;
    said.hidden = false;
  }

  /** @param {import('../core/types.js').NewLock} next @param {ReturnType<typeof field>} [named] the field that a refusal belongs to */
  async function change(next, named) {
    try {
      if (!(await isTheOwner())) return;
      const outcome = await app.core.setLock(next);
      if ('refused' in outcome) {
        if (named) {
          named.fault(sentence(outcome.refused));
          named.input.focus();
        } else tell(sentence(outcome.refused));
        return;
      }
      toast(next.kind === 'none' ? t('phone-lock-is-off') : t('phone-lock-is-on'));
      await app.reload();
      app.show();
    } catch (error) {
      app.fail(error);
    }
  }

  /** Whoever finds the app open must not be able to change what opens it: asked by the same way, and counted alike. */
  async function isTheOwner() {
    if (present) {
      const outcome = await app.core.unlock({ pin: present.input.value });
      present.input.value = '';
      if ('ok' in outcome && outcome.ok) return true;
      await app.reload();
      if ('erased' in outcome) app.show();
      else {
        const { waitMs, triesLeft } = outcome;
        present.fault(waitMs > 0 ? `${t('phone-pin-wrong')} ${t('phone-pin-wait', { amount: length(waitMs) })}` : t('phone-pin-wrong'));
        if (triesLeft <= WARN_FROM) tell(t('phone-tries-left', { n: triesLeft }));
        present.input.focus();
      }
      return false;
    }
    const { credentialId, salt } = app.opened;
    if (lock !== 'device' || !credentialId || !salt) return true;
    const prf = await askPasskey(credentialId, salt);
    const outcome = prf && (await app.core.unlock({ prf }));
    if (outcome && 'ok' in outcome && outcome.ok) return true;
    tell(t('phone-device-not-verified'));
    return false;
  }

  return { title, root, back: 'settings' };
}
