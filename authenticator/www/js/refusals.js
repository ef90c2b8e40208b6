// @ts-check
// What is said about a refusal, by its stable code.

import { t } from './text.js';

/** @type {Record<string, (values: import('./text.js').Values) => string>} */
const SENTENCES = {
  activation_refused: () => t('error-activation-refused'),
  activation_message: () => t('error-activation-message'),
  activation_attempt_over: () => t('error-activation-attempt-over'),
  activation_gone: () => t('error-activation-gone'),
  already_activated: () => t('error-already-activated'),
  app_full: () => t('error-app-full'),
  clock_unsure: () => t('error-clock-unsure'),
  issuance_cancelled: () => t('error-issuance-cancelled'),
  issuance_expired: () => t('error-issuance-expired'),
  issuance_locked: () => t('error-issuance-locked'),
  raced: () => t('error-raced'),
  busy: () => t('error-busy'),
  service_unavailable: () => t('error-service-unavailable'),
  too_many_requests: (values) => t('error-too-many-requests', { seconds: 60, ...values }),
  out_of_memory: () => t('phone-out-of-memory'),
  device_refused: () => t('error-device-refused'),
  renewal_not_open: () => t('error-renewal-not-open'),
  id_length: () => t('phone-id-form'),
  id_alphabet: () => t('phone-id-form'),
  id_check_digit: () => t('phone-user-id-mistyped'),
  name_format: () => t('phone-name-form'),
  pin_length: () => t('phone-pin-length'),
  pin_not_digits: () => t('phone-pin-length'),
  pin_trivial: () => t('phone-pin-trivial'),
};

/** @param {string} code @param {import('./text.js').Values} [values] */
export function sentence(code, values = {}) {
  return SENTENCES[code]?.(values) ?? t('phone-refused', { code });
}

/** The sentence for a token's id: the two ids have different shapes. @param {string} code */
export function userIdSentence(code) {
  return code === 'id_check_digit' ? t('phone-user-id-mistyped') : t('phone-user-id-form');
}

/** @param {string} code of `CoreError` */
export function faultSentence(code) {
  if (code === 'storage') return t('phone-storage');
  if (code === 'not_loaded') return t('phone-not-loaded');
  if (code === 'out_of_memory') return t('phone-out-of-memory');
  return t('phone-fault', { code });
}
