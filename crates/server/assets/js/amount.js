// @ts-check
/**
 * Lengths of time as people say them.
 * @module
 */

/**
 * "40 seconds", "3 minutes", "2 hours", "5 days".
 *
 * @param {number} ms the sign does not count
 * @param {string} language
 */
export function amount(ms, language) {
  const seconds = Math.abs(ms) / 1000;
  /** @type {[number, string]} */
  const [size, unit] = seconds < 90 && seconds !== 60 ? [1, 'second'] : seconds < 5400 ? [60, 'minute'] : seconds < 129_600 ? [3600, 'hour'] : [86_400, 'day'];
  const said = new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(Math.round(seconds / size));
  // In the middle of a Japanese sentence the space that the formatter puts there looks like a mistake.
  return language === 'ja' ? said.replace(/\s/u, '') : said;
}
