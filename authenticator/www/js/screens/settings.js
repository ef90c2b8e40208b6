// @ts-check
// The settings of the app.

import { h } from '../dom.js';
import { LANGUAGES, preferred, spoken, t } from '../text.js';

/** @type {import('../app.js').MakeScreen} */
export function settingsScreen(app) {
  const title = t('phone-settings');
  const { lock, settings } = app.opened;
  const kept = h('p', { role: 'status' });
  const ask = h('button', { type: 'button', class: 'button-second', hidden: true, onclick: persist }, t('phone-persist-ask'));
  showKept();

  const language = h(
    'select',
    { id: 'language', onchange: () => app.changeLanguage(preferred(language.value)) },
    LANGUAGES.map((one) => h('option', { value: one, lang: one, selected: one === spoken() }, one === 'ja' ? '日本語' : 'English')),
  );
  const hidden = h('input', {
    type: 'checkbox',
    id: 'hidden',
    checked: settings.hidden ?? false,
    onchange: () => app.core.setSettings({ hidden: hidden.checked }).then((now) => (app.opened.settings = now), (error) => app.fail(error)),
  });
  const root = h(
    'div',
    {},
    h('h1', { tabindex: -1 }, title),
    h(
      'ul',
      { class: 'choices' },
      h(
        'li',
        {},
        h('a', { class: 'choice', href: '#/settings/lock' }, t('phone-lock-title')),
        h('p', {}, lock === 'pin' ? t('phone-lock-is-pin') : lock === 'device' ? t('phone-lock-is-device') : t('phone-lock-is-none')),
      ),
      h('li', {}, h('a', { class: 'choice', href: '#/help' }, t('phone-help-title')), h('p', {}, t('phone-help-about'))),
    ),
    h('div', { class: 'field' }, h('label', { for: 'language' }, t('language-switch')), language),
    h('div', { class: 'check' }, hidden, h('label', { for: 'hidden' }, t('phone-hidden-first'))),
    h('section', {}, h('h2', {}, t('phone-persist-title')), kept, h('div', { class: 'actions' }, ask)),
  );
  return { title, root, back: '' };

  async function showKept() {
    const persisted = await app.core.persisted().catch(() => false);
    kept.textContent = persisted ? t('phone-persisted') : t('phone-not-persisted');
    ask.hidden = persisted;
  }

  async function persist() {
    await navigator.storage?.persist?.();
    await showKept();
  }
}
