// @ts-check
// A module worker that judges activation passwords and runs the client half of the activation handshake beside the page:
// Argon2id takes a moment and 64 MiB, and neither may stop the page. It draws the randomness and fetches `client.wasm`; it never talks to the server otherwise.
//
//   const worker = new Worker('/assets/js/activation-worker.js', { type: 'module' });
//   worker.postMessage({ id: 1, op: 'registerStart', password });
//   worker.onmessage = ({ data }) => data.ok ? data.value.request : data.error;
//
// Every message is answered by one with the same `id`. The page ends the worker (`terminate()`) when it is done with it.
// Content-Security-Policy: script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'.

import {
  ActivationRefused,
  activateConfirm,
  activateFinish,
  activateStart,
  judgePassword,
  registerFinish,
  registerStart,
} from './activation-client.js';

/**
 * @typedef {{ op: 'registerStart', password: string }
 *   | { op: 'registerFinish', state: Uint8Array, password: string, response: Uint8Array }
 *   | { op: 'activateStart', serviceId: string, tokenUserId: string, password: string }
 *   | { op: 'activateFinish', state: Uint8Array, password: string, response: Uint8Array }
 *   | { op: 'activateConfirm', state: Uint8Array, response: Uint8Array }
 *   | { op: 'judgePassword', password: string, length: {min: number, max: number},
 *       own: {loginId: string, mailAddress: string} }} Task
 * @typedef {Task & { id: number }} Ask
 * @typedef {{ id: number, ok: true, value: object }
 *   | { id: number, ok: false, error: import('./activation-client.js').Refusal | 'not_loaded' | 'internal' }} Answer
 */

/** @type {Promise<WebAssembly.Module> | undefined} */
let loading;

/** The module, fetched once; after a failure the next message tries again. */
function load() {
  loading ??= WebAssembly.compileStreaming(
    fetch(new URL('../wasm/client.wasm', import.meta.url), { credentials: 'same-origin' }),
  ).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

function randomness() {
  return crypto.getRandomValues(new Uint8Array(32));
}

/**
 * @param {WebAssembly.Module} module
 * @param {Task} task
 */
function run(module, task) {
  switch (task.op) {
    case 'registerStart':
      return registerStart(module, randomness(), task.password);
    case 'registerFinish':
      return registerFinish(module, task.state, task.password, task.response);
    case 'activateStart':
      return activateStart(module, randomness(), task.serviceId, task.tokenUserId, task.password);
    case 'activateFinish':
      return activateFinish(module, task.state, task.password, task.response);
    case 'activateConfirm':
      return activateConfirm(module, task.state, task.response);
    case 'judgePassword':
      return judgePassword(module, task.password, task.length, task.own);
  }
}

/**
 * @param {Ask} ask
 * @returns {Promise<Answer>}
 */
async function answer(ask) {
  let module;
  try {
    module = await load();
  } catch {
    return { id: ask.id, ok: false, error: 'not_loaded' };
  }
  try {
    return { id: ask.id, ok: true, value: await run(module, ask) };
  } catch (error) {
    return {
      id: ask.id,
      ok: false,
      error: error instanceof ActivationRefused ? error.refusal : 'internal',
    };
  }
}

self.addEventListener('message', async (/** @type {MessageEvent<Ask>} */ event) => {
  self.postMessage(await answer(event.data));
});
