// What every page must bear: no violation that axe finds, no sideways scrolling on a small phone; and its picture.
import path from 'node:path';
import axe from 'axe-core';
import { expect } from '@playwright/test';
import { root } from './machine.js';

/** @typedef {import('@playwright/test').Page} Page */

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const TABLET = { width: 768, height: 1024 };
/** The narrowest screen of WCAG 2.2, 1.4.10 Reflow. */
const NARROW = { width: 320, height: 640 };

/** The screens that pages are made for. */
const SCREENS = { desktop: DESKTOP, phone: PHONE };
/** The screens that the app for phones is made for. */
export const APP_SCREENS = { narrow: NARROW, phone: PHONE, tablet: TABLET };

/**
 * Inspects the page that is shown, in light and dark, on screens of several sizes. Pictures go to `e2e/screenshots`.
 *
 * @param {Page} page
 * @param {string} language
 * @param {string} name of the page, for its picture
 * @param {Record<string, { width: number, height: number }>} [screens]
 */
export async function inspect(page, language, name, screens = SCREENS) {
  const before = page.viewportSize();
  for (const [screen, size] of Object.entries(screens)) {
    await page.setViewportSize(size);
    for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
      await page.emulateMedia({ colorScheme });
      await settled(page);
      expect.soft(await violations(page), `${name} in ${language}, ${screen}, ${colorScheme}`).toEqual([]);
      const dark = colorScheme === 'dark' ? '-dark' : '';
      await page.screenshot({
        path: path.join(root, 'e2e', 'screenshots', language, `${name}-${screen}${dark}.png`),
        fullPage: true,
        animations: 'disabled',
      });
    }
    await page.emulateMedia({ colorScheme: null });
  }
  await page.setViewportSize(NARROW);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect.soft(overflow, `${name} in ${language} scrolls sideways at ${NARROW.width} pixels`).toBe(0);
  if (before) await page.setViewportSize(before);
}

/** Waits until no colour is on its way from one scheme to the other. @param {Page} page */
function settled(page) {
  return page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    await frame();
    await frame();
    const transitions = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
    await Promise.allSettled(transitions.map((transition) => transition.finished));
  });
}

/** @param {Page} page @returns {Promise<string[]>} */
async function violations(page) {
  await page.evaluate(axe.source);
  return page.evaluate(async (rules) => {
    const { violations } = await /** @type {any} */ (window).axe.run(document, { runOnly: rules });
    return violations.flatMap((/** @type {any} */ violation) =>
      violation.nodes.map((/** @type {any} */ node) => `${violation.id}: ${violation.help}: ${node.html}`),
    );
  }, RULES);
}
