// @ts-check
// New versions of the app. The service worker keeps one version whole; a new one is fetched beside it and takes over when the
// person says so, or at the start of the app, before anything is shown. Tokens are not touched by either.

/** A waiting version that has not taken over by then is left for later. */
const TAKING_OVER_MS = 3000;
const LOOK_EVERY_MS = 60 * 60 * 1000;

export class Updates {
  /** A new version waits to take over. */
  ready = false;
  #changed;
  /** @type {ServiceWorkerRegistration | undefined} */
  #registration;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  /**
   * Registers the service worker.
   *
   * @param {{ mayReload: () => boolean }} options whether nothing is under way that a reload would end
   * @returns {Promise<void>} after the wait for a version that is taking over; the page is loaded again then
   */
  async start({ mayReload }) {
    if (!('serviceWorker' in navigator)) return;
    const { serviceWorker } = navigator;
    // Not at the very first start, when the page gets its first keeper: that one is of the page's own version.
    let controlled = serviceWorker.controller !== null;
    serviceWorker.addEventListener('controllerchange', () => {
      // In the other tabs too: parts that are loaded later would be of another version than the rest.
      const keeper = serviceWorker.controller;
      if (keeper && controlled && mayReload()) location.reload();
      // None any more: somebody cleared the site's data.
      controlled = keeper !== null;
    });
    const known = await serviceWorker.getRegistration('/app/').catch(() => undefined);
    if (known?.waiting && known.active && controlled && mayReload()) {
      this.#registration = known;
      // Not while parts of the page are still on their way from the old version: it could not go, and they would not come.
      if (document.readyState !== 'complete') await new Promise((resolve) => window.addEventListener('load', resolve, { once: true }));
      this.take();
      await new Promise((resolve) => setTimeout(resolve, TAKING_OVER_MS));
    }
    this.#register();
  }

  /** Lets the waiting version take over, and loads the page again. */
  take() {
    this.#registration?.waiting?.postMessage('take over');
  }

  async #register() {
    try {
      const registration = await navigator.serviceWorker.register('/app/sw.js', { scope: '/app/', updateViaCache: 'none' });
      this.#registration = registration;
      this.#look();
      registration.addEventListener('updatefound', () => {
        registration.installing?.addEventListener('statechange', () => this.#look());
      });
      setInterval(() => registration.update().catch(() => {}), LOOK_EVERY_MS);
    } catch {
      // Without it the app works as a page: codes need no network once it is loaded.
    }
  }

  #look() {
    // The very first version takes nobody's place.
    const ready = Boolean(this.#registration?.waiting && navigator.serviceWorker.controller);
    if (ready !== this.ready) {
      this.ready = ready;
      this.#changed();
    }
  }
}
