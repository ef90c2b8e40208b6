/**
 * Loads the waiting page again as soon as the server knows more than the page shows.
 * Without scripts the page loads itself every 20 seconds.
 * @module
 */

const EVERY_MS = 3_000;

const shown = /** @type {HTMLElement | null} */ (document.querySelector('[data-waiting]'));

async function look(/** @type {HTMLElement} */ element) {
  if (document.visibilityState === 'visible') {
    try {
      const answer = await fetch(element.dataset.waiting ?? '', { cache: 'no-store', headers: { accept: 'application/json' } });
      if (answer.ok) {
        const { state, mail, starts_left: startsLeft } = await answer.json();
        if (`${state}/${mail}/${startsLeft}` !== element.dataset.shown) {
          location.replace(location.pathname);
          return;
        }
      } else if (answer.status === 401 || answer.status === 403) {
        // The session is over: the page says so after a reload.
        location.reload();
        return;
      }
    } catch {
      // Out of reach for a moment; the next look comes anyway.
    }
  }
  setTimeout(() => look(element), EVERY_MS);
}

if (shown) setTimeout(() => look(shown), EVERY_MS);
