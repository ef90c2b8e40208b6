/**
 * The rules of the activation password, judged where it is typed: the server never sees it (R44, R45).
 * The same rules stand in Rust in `warifu_core::activation_password`; the app uses those.
 * @module
 */

const KEYPAD_COLUMNS = new Set(['2580', '0852', '1470', '0741', '3690', '0963', '147258', '14725836']);

/** @param {string} typed full-width digits and spaces are accepted, as the app accepts them */
export function normalised(typed) {
  return typed.normalize('NFKC').replace(/\s/gu, '');
}

/**
 * The refusal of a chosen password, or null when it may be used.
 * @param {string} password normalised
 * @param {{min: number, max: number}} length digits, by policy
 * @param {string[]} own what others may know of the person: a password that is part of its digits is trivial
 * @returns {'length' | 'not-digits' | 'trivial' | null}
 */
export function refusal(password, { min, max }, own) {
  if (!/^[0-9]*$/.test(password)) return 'not-digits';
  if (password.length < min || password.length > max) return 'length';
  const known = own.some((text) => text.replace(/[^0-9]/g, '').includes(password));
  return known || repeats(password) || runs(password) || KEYPAD_COLUMNS.has(password) || isDate(password) ? 'trivial' : null;
}

/** One digit or one short group again and again: 7777, 1212, 123123. */
function repeats(digits) {
  for (let length = 1; length <= digits.length / 2; length += 1) {
    if (digits.length % length === 0 && digits.slice(0, length).repeat(digits.length / length) === digits) return true;
  }
  return false;
}

/** Straight up or down, also over the end: 1234, 8901, 3210. */
function runs(digits) {
  const steps = [...digits].slice(1).map((digit, at) => (Number(digit) + 10 - Number(digits[at])) % 10);
  return (steps[0] === 1 || steps[0] === 9) && steps.every((step) => step === steps[0]);
}

/** MMDD, YYYY, YYMMDD, YYYYMMDD. */
function isDate(digits) {
  const isDay = (/** @type {string} */ part) => {
    const [month, day] = [Number(part.slice(0, 2)), Number(part.slice(2, 4))];
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
  };
  const isYear = (/** @type {string} */ part) => Number(part) >= 1900 && Number(part) <= 2039;
  switch (digits.length) {
    case 4: return isDay(digits) || isYear(digits);
    case 6: return isDay(digits.slice(2));
    case 8: return isYear(digits.slice(0, 4)) && isDay(digits.slice(4));
    default: return false;
  }
}
