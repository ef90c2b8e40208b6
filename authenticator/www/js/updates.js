// @ts-check
// New versions of the app. The service worker keeps one version whole; a new one is fetched beside it and takes over when the
// person says so, or at the start of the app, before anything is shown. Tokens are not touched by either.

/** The first screen is shown without the waiting version when it has not taken over by then. */
const TAKING_OVER_MS = 3000;
const LOOK_EVERY_MS = 60 * 60 * 1000;

export class Updates {
  /** A new version waits to take over. */
  ready = false;
  #changed;
  /** @type {ServiceWorkerRegistration | undefined} */
  #registration;
  /** The page has a keeper, or waits for one that it called: the next one to come is of another version than the page. */
  #kept = false;
  /** Another version has taken over, and the page could not be loaded anew at that moment. */
  stale = false;

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
    this.#kept = serviceWorker.controller !== null;
    serviceWorker.addEventListener('controllerchange', () => {
      // In the other tabs too: parts that are loaded later would be of another version than the rest.
      const keeper = serviceWorker.controller;
      if (keeper && this.#kept) {
        if (mayReload()) location.reload();
        else this.stale = true;
      }
      // None any more: somebody cleared the site's data.
      this.#kept = keeper !== null;
      this.#look();
    });
    const known = await serviceWorker.getRegistration('/app/').catch(() => undefined);
    if (known?.waiting && known.active && mayReload()) {
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
    this.#kept = true;
    this.#registration?.waiting?.postMessage('take over');
  }

  async #register() {
    try {
      const registration = await navigator.serviceWorker.register('/app/sw.js', { scope: '/app/', updateViaCache: 'none' });
      this.#registration = registration;
      const follow = () => registration.installing?.addEventListener('statechange', () => this.#look());
      registration.addEventListener('updatefound', follow);
      // One that the browser found on its own is under way already.
      follow();
      this.#look();
      setInterval(() => registration.update().catch(() => {}), LOOK_EVERY_MS);
    } catch {
      // Without it the app works as a page: codes need no network once it is loaded.
    }
  }

  #look() {
    // The very first version takes nobody's place. A page that was on its way when that one came has no keeper, and is
    // offered the next one like any other.
    const ready = Boolean(this.#registration?.waiting && this.#registration.active);
    if (ready !== this.ready) {
      this.ready = ready;
      this.#changed();
    }
  }
}
