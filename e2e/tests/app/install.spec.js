// The app can be installed, and keeps itself for offline use.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../support/machine.js';
import { expect, test } from '../../support/app_test.js';

/** What the system takes when the app is installed, what never runs, and the reader of codes, for whoever scans one is online. */
const ONLINE_ONLY = /^\/app\/(img\/icon-\d+\.png|img\/icon-maskable-512\.png|js\/core\/types\.js|js\/vendor\/.+\.js)$/;

test('chromium finds nothing that stands against installing the app', async ({ demo, browserOfPhone }) => {
  // Not in a private window, where nothing can be installed.
  const app = await (await browserOfPhone.start()).open(demo.url);
  await app.keptOffline();
  const session = await app.page.context().newCDPSession(app.page);
  const { url, errors, manifest } = await session.send('Page.getAppManifest');
  expect(errors).toEqual([]);
  expect(url).toBe(new URL('/app/manifest.webmanifest', demo.url).href);
  expect(manifest).toMatchObject({ display: 'kStandalone', id: new URL('/app/', demo.url).href });

  await expect.poll(async () => (await session.send('Page.getInstallabilityErrors')).installabilityErrors).toEqual([]);
});

test('every file that the app needs answers without a network', async ({ demo, app }) => {
  await app.open(demo.url);
  await app.keptOffline();
  const files = await app.page.evaluate(async () => {
    const list = await (await fetch('/app/version.js')).text();
    return [...list.matchAll(/\["([^"]+)",/g)].map(([, path]) => path);
  });
  expect(files.length).toBeGreaterThan(30);
  await demo.stop();
  await app.page.reload();
  await expect(app.page.getByRole('heading', { level: 1 })).toBeVisible();
  const failed = await app.page.evaluate(async (files) => {
    const answers = await Promise.all(files.map(async (file) => [file, await fetch(file).then(({ ok }) => ok, () => false)]));
    return answers.filter(([, ok]) => !ok).map(([file]) => file);
  }, files.filter((file) => !ONLINE_ONLY.test(file)));
  expect(failed).toEqual([]);
});

test('the reader of QR codes is the published one, byte for byte', () => {
  const [ours, published] = ['authenticator/www/js/vendor/qr', 'e2e/node_modules/qr'].map((folder) => path.join(root, folder));
  const scripts = readdirSync(ours).filter((name) => name.endsWith('.js'));
  expect(scripts).toContain('decode.js');
  for (const name of scripts) {
    expect(readFileSync(path.join(ours, name)).equals(readFileSync(path.join(published, name))), name).toBe(true);
  }
});
