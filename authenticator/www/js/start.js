// @ts-check
// Starts the core's worker before the screens are loaded: the tokens are read while the page's own parts come.

import { Authenticator } from './core/authenticator.js';

/** The one core of this page. */
export const core = new Authenticator();

/** What the first screen is made of, on its way. Whoever waits for it hears of a failure; nobody else has to. */
export const opening = core.open();
opening.catch(() => {});
