// @ts-check
// The words of the app. They come from the catalogue of the whole product, one JSON object for each language, in the form that
// `crates/server/src/text/browser.rs` describes. Every id is written whole where it is asked for: a test compares them.

import { amount } from '/assets/js/amount.js';

/** @typedef {string | (string | Part)[]} Text */
/** @typedef {{ arg: string } | { select: string, of: Record<string, Text>, else: string }} Part */
/** @typedef {Record<string, string | number>} Values */

export const LANGUAGES = /** @type {const} */ (['ja', 'en']);
/** @typedef {typeof LANGUAGES[number]} Language */

/** @type {Record<string, Text>} */
let words = {};
/** @type {Language} */
let language = 'ja';

/** The language that is spoken. */
export function spoken() {
  return language;
}

/** The language to begin with: the one that was chosen, or the first of the browser's that we have. @param {string} [chosen] */
export function preferred(chosen) {
  for (const tag of [chosen, ...navigator.languages]) {
    const known = LANGUAGES.find((own) => own === tag?.split('-')[0]);
    if (known) return known;
  }
  return 'ja';
}

/** Speaks a language from now on. @param {Language} next */
export async function speak(next) {
  const answer = await fetch(`/app/text/${next}.json`);
  if (!answer.ok) throw new Error(`text: ${answer.status}`);
  words = await answer.json();
  language = next;
  document.documentElement.lang = next;
}

/** A text. @param {string} id @param {Values} [values] */
export function t(id, values = {}) {
  return say(words[id] ?? id, values);
}

/** @param {Text} text @param {Values} values @returns {string} */
function say(text, values) {
  if (typeof text === 'string') return text;
  return text
    .map((part) => {
      if (typeof part === 'string') return part;
      if ('arg' in part) return String(values[part.arg] ?? '');
      const value = values[part.select] ?? '';
      const plural = typeof value === 'number' ? new Intl.PluralRules(language).select(value) : part.else;
      return say(part.of[String(value)] ?? part.of[plural] ?? part.of[part.else], values);
    })
    .join('');
}

/** A length of time in the language that is spoken. @param {number} ms */
export function length(ms) {
  return amount(ms, language);
}

/** A moment in the language that is spoken. @param {number} ms */
export function moment(ms) {
  return new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short' }).format(new Date(ms));
}

/** A day in the language that is spoken. @param {number} ms */
export function day(ms) {
  return new Intl.DateTimeFormat(language, { dateStyle: 'long' }).format(new Date(ms));
}
