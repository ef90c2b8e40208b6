// @ts-check
// What an owner may call a token: the rule of the terminal app (`Name` in `crates/authenticator/src/tokens.rs`).

const LENGTH_MAX = 40;

/** Control characters, and the marks that turn the direction of writing: a list could say something else than it holds. */
const STEERS = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

/**
 * @param {string} typed white space around it does not count
 * @returns {string | null} null for what is no name
 */
export function nameOf(typed) {
  const name = typed.trim();
  const length = [...name].length;
  return length === 0 || length > LENGTH_MAX || STEERS.test(name) ? null : name;
}
