// @ts-check
// The two ids in a link or a code of the issuance page: `https://…/app/#/add?service=…&user=…`. Behind the `#`, so that no server
// is sent them.

/** @typedef {{ serviceId: string, tokenUserId: string }} Ids */

/**
 * Reads the ids from a scanned text.
 *
 * @param {string} text
 * @returns {Ids | 'elsewhere' | null} `elsewhere`: a code for the app of another server; null: something else
 */
export function idsOf(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  const [path, query = ''] = url.hash.split('?');
  if (url.pathname !== '/app/' || path !== '#/add') return null;
  const ids = idsIn(new URLSearchParams(query));
  if (!ids) return null;
  return url.origin === location.origin ? ids : 'elsewhere';
}

/** @param {URLSearchParams} query @returns {Ids | null} */
export function idsIn(query) {
  const [serviceId, tokenUserId] = [query.get('service'), query.get('user')];
  return serviceId && tokenUserId ? { serviceId, tokenUserId } : null;
}
