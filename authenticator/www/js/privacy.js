// @ts-check
// What hides the codes when nobody should see them: a cover for the task switcher, and the lock after a while in the background.

import { part } from './dom.js';

/** How long the app may be in the background before it locks, where nothing else is chosen, in seconds. */
export const LOCK_AFTER_S = 60;

/** @param {import('./app.js').App} app */
export function guardTheScreen(app) {
  const cover = part('cover');
  /** @type {number | undefined} */
  let hiddenAt;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let locks;

  const hide = () => {
    cover.hidden = false;
    if (hiddenAt !== undefined) return;
    hiddenAt = Date.now();
    const { lock, locked, settings } = app.opened;
    if (lock !== 'none' && !locked) locks = setTimeout(() => lockNow(), (settings.lockAfterS ?? LOCK_AFTER_S) * 1000);
  };
  const lockNow = () => app.core.lock().catch((error) => app.fail(error));
  const show = async () => {
    clearTimeout(locks);
    // Timers stand still in the background: the clock is asked as well. One that went backwards tells nothing, and locks.
    const awayMs = hiddenAt === undefined ? 0 : Date.now() - hiddenAt;
    hiddenAt = undefined;
    const { lock, locked, settings } = app.opened;
    const overdue = awayMs < 0 || awayMs > (settings.lockAfterS ?? LOCK_AFTER_S) * 1000;
    if (lock !== 'none' && !locked && overdue) {
      await lockNow();
      // What is under the cover is the lock by now.
      await app.reload();
      app.show();
    }
    cover.hidden = document.visibilityState === 'visible';
    if (!app.opened.locked) app.refresh();
  };

  document.addEventListener('visibilitychange', () => (document.visibilityState === 'hidden' ? hide() : show()));
  window.addEventListener('pagehide', hide);
  window.addEventListener('pageshow', () => document.visibilityState === 'visible' && hiddenAt !== undefined && show());
  // An installed app on a phone loses the focus before the task switcher takes its picture; a window on a desk loses it
  // whenever the code is typed elsewhere, and has to stay readable.
  if (matchMedia('(display-mode: standalone) and (pointer: coarse)').matches) {
    window.addEventListener('blur', () => (cover.hidden = false));
    window.addEventListener('focus', () => (cover.hidden = true));
  }
}
