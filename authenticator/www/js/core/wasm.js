// @ts-check
// The compiled module: fetched once, and its calls. The only file that knows where the portal keeps them; the service serves them
// under the same origin.

import * as client from '/assets/js/activation-client.js';
import { CoreError } from './errors.js';

export const { ActivationRefused } = client;

const MODULE = '/assets/wasm/client.wasm';

/** @typedef {typeof import('../../../../crates/server/assets/js/activation-client.js')} Client */

/** @type {Promise<WebAssembly.Module> | undefined} */
let loading;

/** The module; after a failure the next call tries again. @returns {Promise<WebAssembly.Module>} */
export function load() {
  loading ??= WebAssembly.compileStreaming(fetch(MODULE, { credentials: 'same-origin' })).catch(() => {
    loading = undefined;
    throw new CoreError('not_loaded');
  });
  return loading;
}

/**
 * A call of the client without its first argument, the module.
 *
 * @template {unknown[]} A
 * @template R
 * @param {(module: WebAssembly.Module, ...input: A) => Promise<R>} call
 * @returns {(...input: A) => Promise<R>}
 */
function bound(call) {
  return async (...input) => call(await load(), ...input);
}

export const activateStart = bound(client.activateStart);
export const activateFinish = bound(client.activateFinish);
export const activateConfirm = bound(client.activateConfirm);
export const judgePassword = bound(client.judgePassword);
export const checkIds = bound(client.checkIds);
export const codeOfMac = bound(client.codeOfMac);
export const stretch = bound(client.stretch);
export const judgeRefusal = bound(client.judgeRefusal);
