// The QR code of the waiting page, through the camera and from a picture: it fills in both ids (J3).
import { cameraArgs, film, gifOf, pictureOf, pixelsOf } from '../../support/camera.js';
import { expect, test } from '../../support/app_test.js';
import { expectMailSent } from '../../support/journey.js';

const OF_ANOTHER_SERVICE = 'https://otp.another.example/app/#/add?service=another&user=12345678901231';

/** The code that the waiting page draws. @param {any} fixtures @returns {Promise<Buffer>} */
async function drawn({ page, words, labels }) {
  await expectMailSent(page, labels);
  const code = page.getByRole('img', { name: words.scan.onPage });
  await code.scrollIntoViewIfNeeded();
  return code.screenshot({ animations: 'disabled' });
}

test('the camera reads the code of the waiting page, and the activation password is all that is typed', async ({ page, demo, words, labels, order, browserOfPhone, otherPerson }, info) => {
  const typed = await order();
  const seen = film(info.outputPath('camera.y4m'), await pixelsOf(await otherPerson(), await drawn({ page, words, labels })));
  const app = await (await browserOfPhone.start({ args: cameraArgs(seen), permissions: ['camera'] })).open(demo.url);
  await app.link(words.scan.offer).click();

  await expect(app.serviceId).toHaveValue(typed.serviceId);
  await expect(app.userId).toHaveValue(typed.userId);
  await expect(app.password).toBeFocused();
  expect(app.page.url()).toBe(new URL('/app/#/add', demo.url).href);
  await app.page.keyboard.type(typed.activationPassword);
  await app.page.keyboard.press('Enter');
  await app.finish();
});

test('a code that is something else is told, and nothing is filled in', async ({ demo, words, browserOfPhone }, info) => {
  for (const [text, told] of [
    ['https://example.com/', words.scan.other],
    [OF_ANOTHER_SERVICE, words.scan.elsewhere],
  ]) {
    const seen = film(info.outputPath('camera.y4m'), pictureOf(text));
    const app = await (await browserOfPhone.start({ args: cameraArgs(seen), permissions: ['camera'] })).open(demo.url, 'scan');
    await expect(app.page.getByRole('status').filter({ hasText: told })).toBeVisible();
    await app.shows(words.scan.offer);
    await app.go('add');
    await expect(app.serviceId).toHaveValue('');
    await expect(app.userId).toHaveValue('');
    await browserOfPhone.close();
  }
});

test('without the permission for the camera there are other ways, which work', async ({ page, demo, words, labels, order, browserOfPhone }, info) => {
  const typed = await order();
  const seen = film(info.outputPath('camera.y4m'), pictureOf('https://example.com/'));
  const app = await (await browserOfPhone.start({ args: cameraArgs(seen), permissions: [] })).open(demo.url, 'scan');
  await expect(app.main).toContainText(words.scan.denied);

  const picture = app.page.getByLabel(words.scan.picture, { exact: true });
  await test.step('a picture without a code, of something else, and of another service', async () => {
    await picture.setInputFiles({ name: 'page.png', mimeType: 'image/png', buffer: await page.screenshot({ clip: { x: 0, y: 0, width: 200, height: 60 } }) });
    await expect(app.main).toContainText(words.scan.nothing);
    await picture.setInputFiles(gifOf('https://example.com/'));
    await expect(app.main).toContainText(words.scan.other);
    await picture.setInputFiles(gifOf(OF_ANOTHER_SERVICE));
    await expect(app.main).toContainText(words.scan.elsewhere);
  });
  await test.step('a picture of the code fills in both ids', async () => {
    await picture.setInputFiles({ name: 'code.png', mimeType: 'image/png', buffer: await drawn({ page, words, labels }) });
    await expect(app.serviceId).toHaveValue(typed.serviceId);
    await expect(app.userId).toHaveValue(typed.userId);
    await expect(app.password).toBeFocused();
  });
});

test('a device without a camera says so', async ({ demo, words, app }) => {
  await app.open(demo.url, 'scan');
  await expect(app.main).toContainText(words.scan.noCamera);
});
