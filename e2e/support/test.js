// The `test` of every specification: a running service, the words of its language, a phone for each person.
import { mkdirSync } from 'node:fs';
import { test as base } from '@playwright/test';
import { Authenticator } from './authenticator.js';
import { labelsOf } from './labels.js';
import { Demo } from './service.js';

export const test = base.extend({
  /** The words on the pages, by the project's language. */
  labels: async ({}, use, info) => {
    await use(labelsOf(info.project.name));
  },

  /** A `warifu demo` of this test alone. */
  demo: async ({}, use, info) => {
    const demo = await Demo.start(info.outputPath('demo'));
    await use(demo);
    await demo.stop();
  },

  /** Gives a new phone. */
  phone: async ({}, use, info) => {
    let count = 0;
    await use(() => {
      count += 1;
      const home = info.outputPath(`phone-${count}`);
      mkdirSync(home, { recursive: true });
      return new Authenticator(home);
    });
  },

  /** Opens a page in a browser of another person. */
  otherPerson: async ({ browser, contextOptions }, use, info) => {
    /** @type {import('@playwright/test').BrowserContext[]} */
    const contexts = [];
    await use(async () => {
      const { locale, timezoneId } = info.project.use;
      const context = await browser.newContext({ ...contextOptions, locale, timezoneId });
      contexts.push(context);
      return context.newPage();
    });
    for (const context of contexts) await context.close();
  },
});

export { expect } from '@playwright/test';
