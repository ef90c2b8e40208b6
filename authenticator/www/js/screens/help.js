// @ts-check
// What to do when the clock is wrong, the phone is new or lost, or a code is refused. Works without any network.

import { h } from '../dom.js';
import { t } from '../text.js';

/** @type {import('../app.js').MakeScreen} */
export function helpScreen(app) {
  const title = t('phone-help-title');
  const desks = [...new Set(app.opened.tokens.map((token) => token.helpDesk).filter((desk) => desk))];
  const section = (/** @type {string} */ heading, /** @type {import('../dom.js').Child[]} */ ...parts) => h('section', {}, h('h2', {}, heading), parts);
  const root = h(
    'div',
    {},
    h('h1', { tabindex: -1 }, title),
    section(
      t('phone-help-clock-title'),
      h('p', {}, t('phone-help-clock-about')),
      h('ul', {}, h('li', {}, t('phone-help-clock-iphone')), h('li', {}, t('phone-help-clock-android')), h('li', {}, t('phone-help-clock-pc'))),
      h('p', {}, t('phone-help-clock-then')),
    ),
    section(t('phone-help-refused-title'), h('p', {}, t('phone-help-refused'))),
    section(t('phone-help-new-title'), h('p', {}, t('phone-help-new')), h('p', {}, t('phone-help-new-next'))),
    section(t('phone-help-lost-title'), h('p', {}, t('phone-help-lost'))),
    section(t('phone-help-install-title'), h('ul', {}, h('li', {}, t('phone-help-install-iphone')), h('li', {}, t('phone-help-install-android')))),
    desks.length > 0 ? section(t('help-desk'), h('ul', {}, desks.map((desk) => h('li', {}, desk)))) : null,
  );
  return { title, root, back: app.opened.count > 0 ? 'settings' : '' };
}
