// @ts-check
// The QR code of the issuance page, through the camera or from a picture: fills in both ids (J3). Pictures stay on this device.

import { h, quietly } from '../dom.js';
import { idsOf } from '../link.js';
import { t } from '../text.js';

const LOOK_EVERY_MS = 150;

/** @type {import('../app.js').MakeScreen} */
export function scanScreen(app) {
  const title = t('phone-scan');
  const said = h('p', { class: 'scan-said', role: 'status' }, t('phone-scan-starting'));
  const view = h('div', { class: 'scan-view' });
  const video = h('video', { muted: true, playsinline: true, 'aria-label': t('phone-scan-view') });
  const file = h('input', { type: 'file', id: 'picture', accept: 'image/*', onchange: picture });
  const root = h(
    'div',
    {},
    h('h1', { tabindex: -1 }, title),
    h('p', {}, t('phone-scan-how')),
    view,
    said,
    h('div', { class: 'field' }, h('label', { for: 'picture' }, t('phone-scan-picture')), file),
    h('p', {}, h('a', { href: '#/add' }, t('phone-scan-type'))),
  );
  view.append(video, h('div', { class: 'scan-frame', 'aria-hidden': 'true' }));
  /** @type {MediaStream | undefined} */
  let stream;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let left = false;
  watch();
  return {
    title,
    root,
    back: 'add',
    leave() {
      left = true;
      clearTimeout(timer);
      for (const track of stream?.getTracks() ?? []) track.stop();
    },
  };

  async function watch() {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' }, audio: false });
    } catch (error) {
      const denied = error instanceof DOMException && error.name === 'NotAllowedError';
      view.hidden = true;
      tell(denied ? t('phone-scan-denied') : t('phone-scan-no-camera'));
      return;
    }
    if (left) {
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    video.srcObject = stream;
    await video.play().catch(() => {});
    try {
      const detector = await makeDetector();
      tell(t('phone-scan-looking'));
      look(detector);
    } catch {
      tell(t('phone-not-loaded'));
    }
  }

  /** @param {Detector} detector */
  async function look(detector) {
    if (left) return;
    try {
      if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && take(await detector.detect(video))) return;
    } catch {
      // One picture that cannot be read: the next one comes.
    }
    timer = setTimeout(() => look(detector), LOOK_EVERY_MS);
  }

  async function picture() {
    const [chosen] = file.files ?? [];
    if (!chosen) return;
    try {
      const bitmap = await createImageBitmap(chosen);
      const found = await (await makeDetector()).detect(bitmap);
      if (found.length === 0) tell(t('phone-scan-nothing'));
      else take(found);
    } catch {
      tell(t('phone-scan-nothing'));
    } finally {
      file.value = '';
    }
  }

  /** @param {{ rawValue: string }[]} found @returns {boolean} whether it is the code that is wanted */
  function take(found) {
    if (found.length === 0) return false;
    const ids = idsOf(found[0].rawValue);
    if (ids === null || ids === 'elsewhere') {
      tell(ids === null ? t('phone-scan-other') : t('phone-scan-elsewhere'));
      return false;
    }
    if (left) return true;
    quietly(t('phone-scan-found'));
    app.go(`add?${new URLSearchParams({ service: ids.serviceId, user: ids.tokenUserId })}`, { replace: true });
    return true;
  }

  /** @param {string} words */
  function tell(words) {
    if (said.textContent !== words) said.textContent = words;
  }
}

/** @typedef {{ detect: (source: ImageBitmapSource) => Promise<{ rawValue: string }[]> }} Detector */

/** The browser's own reader of codes, or ours where it has none that reads this kind. @returns {Promise<Detector>} */
async function makeDetector() {
  const own = /** @type {any} */ (globalThis).BarcodeDetector;
  const kinds = own ? await own.getSupportedFormats().catch(() => []) : [];
  const Reader = kinds.includes('qr_code') ? own : (await import('../vendor/qr/decode.js')).BarcodeDetector;
  return new Reader({ formats: ['qr_code'] });
}
