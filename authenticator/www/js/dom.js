// @ts-check
// Elements, and what is said about them. Text is always set as text: nothing here takes HTML.

/** @typedef {Node | string | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Properties */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * An element. A property is an attribute; `on…` listens; `false`, `null` and `undefined` leave an attribute out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  furnish(element, properties);
  element.append(...nodes(children));
  return element;
}

/**
 * An element of a drawing.
 *
 * @param {string} tag @param {Properties} [properties] @param {...(Child | Child[])} children
 */
export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  furnish(element, properties);
  element.append(...nodes(children));
  return /** @type {SVGElement} */ (element);
}

/** @param {Element} element @param {Properties} properties */
function furnish(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
function nodes(children) {
  return /** @type {(Node | string)[]} */ (children.flat().filter((child) => child || child === ''));
}

/** The element with a `data-` name that the page has from the start. @param {string} name */
export function part(name) {
  const element = document.querySelector(`[data-${name}]`);
  if (!(element instanceof HTMLElement)) throw new Error(`the page has no ${name}`);
  return element;
}

/** Says something that screen readers read when they have nothing else to read. @param {string} words */
export function quietly(words) {
  part('quiet').textContent = words;
}

const TOAST_MS = 4000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let toastEnds;

/** Tells that something was done, for a moment. @param {string} words */
export function toast(words) {
  const element = part('toast');
  element.textContent = words;
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => (element.textContent = ''), TOAST_MS);
}

/**
 * A labelled field with its hint and its fault.
 *
 * @param {{ id: string, label: string, hint?: string, input: HTMLInputElement, after?: Child }} parts
 * @returns {{ root: HTMLElement, input: HTMLInputElement, fault: (words: string | null) => void }}
 */
export function field({ id, label, hint, input, after }) {
  const wrong = h('p', { class: 'wrong', id: `${id}-wrong`, hidden: true });
  const about = hint ? h('p', { class: 'hint', id: `${id}-hint` }, hint) : null;
  input.id = id;
  if (about) input.setAttribute('aria-describedby', about.id);
  const root = h('div', { class: 'field' }, h('label', { for: id }, label), about, wrong, input, after);
  return {
    root,
    input,
    fault(words) {
      wrong.textContent = words ?? '';
      wrong.hidden = !words;
      root.classList.toggle('field-wrong', Boolean(words));
      if (words) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
      const described = [words ? wrong.id : null, about?.id].filter(Boolean).join(' ');
      if (described) input.setAttribute('aria-describedby', described);
      else input.removeAttribute('aria-describedby');
    },
  };
}

/**
 * Asks before something that cannot be undone.
 *
 * @param {{ title: string, words: Child[], yes: string, no: string, danger?: boolean }} question
 * @returns {Promise<boolean>}
 */
export function confirm({ title, words, yes, no, danger = true }) {
  return new Promise((resolve) => {
    const form = h(
      'form',
      { method: 'dialog' },
      h('h2', { id: 'question' }, title),
      words,
      h(
        'div',
        { class: 'actions' },
        h('button', { value: 'yes', class: danger ? 'button-danger' : null }, yes),
        h('button', { value: 'no', class: 'button-second', autofocus: true }, no),
      ),
    );
    const dialog = h('dialog', { class: 'question', 'aria-labelledby': 'question' }, form);
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
