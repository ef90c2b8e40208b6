// The `test` of the phone app's specifications: its words, and a phone with the app beside the person's page.
import { expect } from '@playwright/test';
import { appLabelsOf } from './app_labels.js';
import { ACTIVATION_PASSWORD, askForToken, expectTitle, signIn } from './journey.js';
import { PhoneApp } from './phone_app.js';
import { PhoneBrowser } from './phone_browser.js';
import { test as base } from './test.js';

/** @typedef {import('./phone_app.js').Order} Order */

export const test = base.extend({
  /** The words of the app in the project's language. */
  words: async ({ locale }, use) => {
    await use(appLabelsOf(locale));
  },

  /** The person's page asks for a token; what the person then types into the app. */
  order: async ({ page, demo, labels }, use) => {
    await use(async (/** @type {import('./service.js').User} */ user = demo.user('general'), service = demo, activationPassword = ACTIVATION_PASSWORD) => {
      const mail = `${user.login_id}@example.co.jp`;
      await page.context().clearCookies();
      await signIn(page, labels, service.url, user);
      await askForToken(page, labels, { mail, activationPassword });
      await expectTitle(page, labels.waiting.title);
      const { serviceId, userId } = await service.mails.ids(mail);
      return /** @type {Order} */ ({ serviceId, userId, activationPassword });
    });
  },

  /** The app on a phone of its own, not yet opened. */
  app: async ({ otherPerson, words }, use) => {
    await use(new PhoneApp(await otherPerson(), words));
  },

  /** A phone whose browser can be ended and started again. */
  browserOfPhone: async ({ words, locale, timezoneId, launchOptions }, use, info) => {
    const browser = new PhoneBrowser(info.outputPath('phone-browser'), { words, locale, timezoneId, launchOptions });
    await use(browser);
    await browser.close();
  },
});

export { expect };
