// @ts-check
// What is shown when the app itself cannot go on.

import { h } from '../dom.js';
import { t } from '../text.js';

/** @param {import('../app.js').App} _app @param {string} words @returns {import('../app.js').Screen} */
export function troubleScreen(_app, words) {
  const title = t('phone-trouble-title');
  const root = h(
    'div',
    {},
    h('h1', { tabindex: -1 }, title),
    h('div', { class: 'note note-warning', role: 'alert' }, h('p', {}, words)),
    h('div', { class: 'actions' }, h('button', { type: 'button', onclick: () => location.reload() }, t('phone-reload'))),
  );
  return { title, root, plain: true };
}
