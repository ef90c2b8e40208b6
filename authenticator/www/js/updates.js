// @ts-check
// New versions of the app. The service worker keeps one version whole; a new one is fetched beside it and takes over when the
// person says so, or at the start of the app, before anything is shown. Tokens are not touched by either.

const LOOK_EVERY_MS = 60 * 60 * 1000;

export class Updates {
  /** A new version waits to take over. */
  ready = false;
  #changed;
  /** @type {ServiceWorkerRegistration | undefined} */
  #registration;
  #taking = false;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  /**
   * Registers the service worker.
   *
   * @param {{ mayTakeOver: () => boolean }} options
   * @returns {Promise<boolean>} whether the page is about to be loaded again, as the new version
   */
  async start({ mayTakeOver }) {
    if (!('serviceWorker' in navigator)) return false;
    const { serviceWorker } = navigator;
    serviceWorker.addEventListener('controllerchange', () => {
      if (this.#taking) location.reload();
    });
    const known = await serviceWorker.getRegistration('/app/');
    if (known?.waiting && known.active && mayTakeOver()) {
      this.#registration = known;
      this.take();
      return true;
    }
    this.#register();
    return false;
  }

  /** Lets the waiting version take over, and loads the page again. */
  take() {
    this.#taking = true;
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
