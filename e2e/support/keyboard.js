// A person without a mouse: Tab, Space, Enter and text.
import { expect } from '@playwright/test';

/**
 * @typedef {import('@playwright/test').Page} Page
 * @typedef {import('@playwright/test').Locator} Locator
 */

/** More tab stops than any page has. */
const STOPS_MAX = 60;

/**
 * Moves with Tab to a control, and sees that it shows its focus.
 *
 * @param {Page} page
 * @param {Locator} target
 */
export async function tabTo(page, target) {
  await expect(target).toBeVisible();
  await expect(target).toBeEnabled();
  for (let stop = 0; stop < STOPS_MAX; stop += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) {
      // A link that fills its frame shows its focus on the frame.
      const shown = await target.evaluate((element) =>
        [element, element.parentElement].some((shows) => {
          const { outlineStyle, outlineWidth } = getComputedStyle(shows ?? element);
          return outlineStyle !== 'none' && parseFloat(outlineWidth) > 0;
        }),
      );
      expect(shown, `${target} shows its focus`).toBe(true);
      return;
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${target}`);
}

/** Moves to a control and types into it. @param {Page} page @param {Locator} target @param {string} text */
export async function typeInto(page, target, text) {
  await tabTo(page, target);
  await page.keyboard.type(text);
}

/** Moves to a link or button and presses Enter. @param {Page} page @param {Locator} target */
export async function enter(page, target) {
  await tabTo(page, target);
  await page.keyboard.press('Enter');
}

/** Moves to a check box and ticks it. @param {Page} page @param {Locator} target */
export async function tick(page, target) {
  await tabTo(page, target);
  await page.keyboard.press('Space');
  await expect(target).toBeChecked();
}
