// @ts-check
// An activation on the screen (J3): its stages while it talks, what became of it, and the completion page with 次へ. Nothing is
// lost when the server cannot be reached: the same is tried again, later and later, until the person leaves it for another day.

import { h, quietly, toast } from '../dom.js';
import { sentence } from '../refusals.js';
import { t } from '../text.js';

/** @typedef {import('../core/types.js').Stage} Stage */

/** @type {readonly Stage[]} */
const STAGES = ['preparing', 'contacting', 'checking', 'finishing'];
const WAIT_S_MAX = 60;

/** @param {Stage} stage */
function stageText(stage) {
  if (stage === 'preparing') return t('phone-stage-preparing');
  if (stage === 'contacting') return t('phone-stage-contacting');
  if (stage === 'checking') return t('phone-stage-checking');
  return t('phone-stage-finishing');
}

/**
 * Runs an activation to its end, or to where the person leaves it.
 *
 * @param {import('../app.js').App} app
 * @param {object} how
 * @param {(onStage: (stage: Stage) => void) => Promise<import('../core/types.js').Activated>} how.run
 * @param {(id: string, onStage: (stage: Stage) => void) => Promise<import('../core/types.js').Activated>} how.again goes on with it
 */
export async function activate(app, { run, again }) {
  app.busy = true;
  const progress = new Progress(app);
  try {
    let outcome = await run((stage) => progress.stage(stage));
    for (let waitS = 1; ; waitS = Math.min(2 * waitS, WAIT_S_MAX)) {
      if (progress.left) {
        app.busy = false;
        await app.reload();
        if ('done' in outcome) toast(t('phone-done-title'));
        app.showChange(idOf(outcome));
        return;
      }
      if ('done' in outcome) {
        app.busy = false;
        await app.reload();
        showDone(app, outcome.done);
        return;
      }
      if ('state' in outcome && outcome.state === 'password_needed') {
        app.busy = false;
        app.go(`token/${outcome.id}`);
        return;
      }
      if ('refused' in outcome) {
        app.busy = false;
        await app.reload();
        showRefused(app, outcome);
        return;
      }
      if (!(await progress.wait(waitS))) {
        app.busy = false;
        await app.reload();
        if (progress.left) app.showChange(idOf(outcome));
        else app.go('');
        return;
      }
      const { id } = outcome;
      outcome = await again(id, (stage) => progress.stage(stage));
    }
  } finally {
    app.busy = false;
  }
}

/** The token of an activation, where there is one. @param {import('../core/types.js').Activated} outcome */
function idOf(outcome) {
  if ('done' in outcome) return outcome.done;
  return 'id' in outcome ? outcome.id : '';
}

class Progress {
  /** The person went to another screen. What runs goes on to its end, and is not tried again. */
  left = false;
  /** Ends a wait. @type {((goOn: boolean) => void) | undefined} */
  #end;
  #list = h('ol', { class: 'stages' }, STAGES.map((stage) => h('li', {}, stageText(stage))));
  #now = h('p', { class: 'progress-text', role: 'status' });
  #trouble = h('div', { class: 'note note-warning', role: 'status', hidden: true });

  /** @param {import('../app.js').App} app */
  constructor(app) {
    const title = t('phone-progress-title');
    const root = h(
      'div',
      {},
      h('h1', { tabindex: -1 }, title),
      h('div', { class: 'card' }, h('div', { class: 'progress' }, h('progress', { 'aria-label': title })), this.#list, this.#now),
      this.#trouble,
    );
    const leave = () => {
      this.left = true;
      this.#end?.(false);
    };
    app.put({ title, root, plain: true, leave });
  }

  /** @param {Stage} stage */
  stage(stage) {
    this.#trouble.hidden = true;
    const at = STAGES.indexOf(stage);
    for (const [index, item] of [...this.#list.children].entries()) {
      item.className = index < at ? 'stage-done' : index === at ? 'stage-now' : '';
    }
    this.#now.textContent = stageText(stage);
  }

  /**
   * Waits before another try; whether there is to be one.
   *
   * @param {number} seconds
   * @returns {Promise<boolean>}
   */
  wait(seconds) {
    return new Promise((resolve) => {
      const end = (/** @type {boolean} */ goOn) => {
        clearTimeout(timer);
        window.removeEventListener('online', online);
        resolve(goOn);
      };
      this.#end = end;
      const online = () => end(true);
      const timer = setTimeout(online, seconds * 1000);
      window.addEventListener('online', online);
      this.#trouble.replaceChildren(
        h('p', {}, t('phone-unreachable')),
        h(
          'div',
          { class: 'actions' },
          h('button', { type: 'button', onclick: () => end(true) }, t('phone-try-now')),
          h('button', { type: 'button', class: 'button-second', onclick: () => end(false) }, t('phone-later')),
        ),
      );
      this.#trouble.hidden = false;
    });
  }
}

/** @param {import('../app.js').App} app @param {string} id */
function showDone(app, id) {
  const title = t('phone-done-title');
  const kept = h('p', { class: 'hint', hidden: true }, t('phone-not-persisted'));
  const root = h(
    'div',
    {},
    h('h1', { tabindex: -1 }, title),
    h('div', { class: 'note note-done' }, h('p', {}, t('phone-done-about'))),
    kept,
    h('div', { class: 'actions' }, h('a', { href: '#/', class: 'button', onclick: next }, t('phone-next'))),
    app.opened.lock === 'none' ? h('p', {}, h('a', { href: '#/settings/lock' }, t('phone-done-lock'))) : null,
  );
  app.put({ title, root, plain: true });
  quietly(t('phone-done-about'));
  navigator.storage?.persist?.().then((persisted) => (kept.hidden = persisted));

  /** @param {MouseEvent} event */
  function next(event) {
    event.preventDefault();
    // The form that led here has no place on the way back any more.
    app.go('', { replace: true });
    document.querySelector(`[data-token="${id}"] button`)?.scrollIntoView({ block: 'nearest' });
  }
}

/** @param {import('../app.js').App} app @param {{ refused: string, ended: boolean, retryAfterS?: number }} outcome */
function showRefused(app, { refused, ended, retryAfterS }) {
  const title = t('phone-refused-title');
  /** @type {import('../text.js').Values} */
  const values = retryAfterS === undefined ? {} : { seconds: retryAfterS };
  const root = h(
    'div',
    {},
    h('h1', { tabindex: -1 }, title),
    h('div', { class: 'note note-warning', role: 'alert' }, h('p', {}, sentence(refused, values)), h('p', { class: 'hint' }, `${t('error-code')}: ${refused}`)),
    h('p', {}, ended ? t('phone-refused-ended') : t('phone-refused-kept')),
    h(
      'div',
      { class: 'actions' },
      h('button', { type: 'button', onclick: () => app.go('add') }, t('phone-enter-again')),
      app.opened.count > 0 ? h('a', { href: '#/', class: 'button button-second' }, t('phone-to-codes')) : null,
    ),
  );
  app.put({ title, root, plain: true });
}
