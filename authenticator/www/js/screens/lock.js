// @ts-check
// What stands before a locked app: the PIN, or the device's own user verification; and what is left when too many PINs were wrong.

import { confirm, field, h } from '../dom.js';
import { askPasskey } from '../passkey.js';
import { length, t } from '../text.js';
import { forgetDraft } from './add.js';

/** From so many tries left on, the consequence is named. */
export const WARN_FROM = 5;

/** @param {import('../app.js').App} app @returns {import('../app.js').Screen} */
export function lockScreen(app) {
  const { opened } = app;
  if (opened.erased) return erasedScreen(app);
  const title = t('phone-locked-title');
  const said = h('p', { class: 'note note-warning', role: 'alert', hidden: true });
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let counting;
  const parts = opened.lock === 'pin' ? pin() : device();
  const root = h(
    'div',
    { class: 'locked' },
    h('img', { src: '/app/img/mark.svg', alt: '', width: 64, height: 64 }),
    h('h1', { tabindex: -1 }, title),
    said,
    parts,
    h('p', { class: 'hint' }, h('button', { type: 'button', class: 'link', onclick: forgotten }, t('phone-lock-forgotten'))),
  );
  return { title, root, plain: true, leave: () => clearInterval(counting) };

  function pin() {
    const typed = field({
      id: 'pin',
      label: t('phone-pin'),
      input: h('input', { type: 'password', class: 'short', autocomplete: 'one-time-code', inputmode: 'numeric', maxlength: 16, required: true }),
    });
    const button = h('button', { type: 'submit' }, t('phone-unlock'));
    if (opened.waitMs > 0) wait(opened.waitMs, button);
    if (opened.triesLeft <= WARN_FROM) tell(t('phone-tries-left', { n: opened.triesLeft }));
    queueMicrotask(() => typed.input.focus());
    return h(
      'form',
      {
        class: 'card',
        novalidate: true,
        async onsubmit(/** @type {SubmitEvent} */ event) {
          event.preventDefault();
          const digits = typed.input.value.normalize('NFKC').replace(/\s/gu, '');
          if (button.disabled || digits === '') return;
          button.disabled = true;
          typed.input.value = '';
          try {
            const outcome = await app.core.unlock({ pin: digits });
            if ('ok' in outcome && !outcome.ok) {
              typed.fault(t('phone-pin-wrong'));
              if (outcome.triesLeft <= WARN_FROM) tell(t('phone-tries-left', { n: outcome.triesLeft }));
              button.disabled = false;
              if (outcome.waitMs > 0) wait(outcome.waitMs, button);
              typed.input.focus();
              return;
            }
            await enter();
          } catch (error) {
            app.fail(error);
          }
        },
      },
      typed.root,
      h('div', { class: 'actions' }, button),
    );
  }

  function device() {
    const button = h('button', { type: 'button', onclick: verify }, t('phone-unlock-device'));
    async function verify() {
      if (!opened.credentialId || !opened.salt) return;
      button.disabled = true;
      const prf = await askPasskey(opened.credentialId, opened.salt);
      button.disabled = false;
      if (!prf) {
        tell(t('phone-device-not-verified'));
        return;
      }
      try {
        const outcome = await app.core.unlock({ prf });
        if ('ok' in outcome && outcome.ok) await enter();
        else tell(t('phone-device-not-verified'));
      } catch (error) {
        app.fail(error);
      }
    }
    return h('div', { class: 'actions' }, button);
  }

  async function enter() {
    await app.reload();
    app.show();
    if (!app.opened.locked) app.refresh();
  }

  /** @param {string} words */
  function tell(words) {
    said.textContent = words;
    said.hidden = false;
  }

  /** @param {number} ms @param {HTMLButtonElement} button */
  function wait(ms, button) {
    const until = performance.now() + ms;
    button.disabled = true;
    clearInterval(counting);
    const count = () => {
      const left = until - performance.now();
      button.textContent = left > 0 ? t('phone-pin-wait', { amount: length(Math.ceil(left / 1000) * 1000) }) : t('phone-unlock');
      if (left > 0) return;
      button.disabled = false;
      clearInterval(counting);
    };
    counting = setInterval(count, 1000);
    count();
  }

  async function forgotten() {
    const words = [h('p', {}, t('phone-forgotten-about')), h('p', {}, t('phone-remove-final'))];
    const sure = await confirm({ title: t('phone-forgotten-title'), words, yes: t('phone-erase-yes'), no: t('phone-cancel') });
    if (sure) await startOver(app);
  }
}

/** @param {import('../app.js').App} app @returns {import('../app.js').Screen} */
function erasedScreen(app) {
  const title = t('phone-erased-title');
  const root = h(
    'div',
    { class: 'locked' },
    h('h1', { tabindex: -1 }, title),
    h('div', { class: 'note note-warning', role: 'alert' }, h('p', {}, t('phone-erased-about'))),
    h('p', {}, t('phone-erased-next')),
    h('div', { class: 'actions' }, h('button', { type: 'button', onclick: () => startOver(app) }, t('phone-start-over'))),
  );
  return { title, root, plain: true };
}

/** @param {import('../app.js').App} app */
async function startOver(app) {
  try {
    await app.core.startOver();
    forgetDraft();
    await app.reload();
    app.go('', { replace: true });
  } catch (error) {
    app.fail(error);
  }
}
