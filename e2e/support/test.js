// The `test` of every specification: a running service, the words of its language, a phone for each person.
import { mkdirSync } from 'node:fs';
import { test as base } from '@playwright/test';
import { Authenticator } from './authenticator.js';
import { Cluster } from './cluster.js';
import { labelsOf } from './labels.js';
import { Demo } from './service.js';

export const test = base.extend({
  /** The words on the pages, by the project's language. */
  labels: async ({}, use, info) => {
    await use(labelsOf(info.project.name));
  },

  /** A `warifu demo` of this test alone. */
  demo: async ({}, use, info) => {
    const demo = new Demo(info.outputPath('demo'));
    try {
      await demo.start();
      await use(demo);
    } finally {
      await demo.stop();
    }
  },

  /** Starts a service as an operator runs it, on one node or more. */
  cluster: async ({}, use, info) => {
    /** @type {Cluster[]} */
    const clusters = [];
    await use(async (/** @type {{ nodes: number, postgres: boolean }} */ options) => {
      const cluster = new Cluster(info.outputPath(`cluster-${clusters.length + 1}`));
      clusters.push(cluster);
      await cluster.start(options);
      return cluster;
    });
    for (const cluster of clusters) await cluster.stop();
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
