// @ts-check
// What a token is called.

import { spoken, t } from '../text.js';

/** @typedef {import('../core/types.js').TokenView} TokenView */

/** The owner's name for it, or the service's, or the service id. @param {TokenView} token */
export function nameOf(token) {
  return token.name ?? serviceOf(token);
}

/** The service by its name, where the server has told it. @param {TokenView} token */
export function serviceOf(token) {
  return token.serviceName?.[spoken()] ?? token.serviceId;
}

/** Whose it is and for what, under its name. @param {TokenView} token */
export function whoseOf(token) {
  const service = token.name === null ? null : serviceOf(token);
  return [service, token.userName].filter((part) => part).join(' · ') || `${t('service-id')}: ${token.serviceId}`;
}
