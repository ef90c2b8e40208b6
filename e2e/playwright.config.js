// One project for each language: every journey is walked in both. What no language changes is walked once.
import { defineConfig } from '@playwright/test';
import { chromium } from './support/machine.js';

/** Flags that keep Chromium on this machine: it looks nothing up and reports nothing. */
const quiet = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Chromium's sandbox does not work for root. */
const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

/** The phone app where the words do not matter: crashes, clocks, storage. */
const ONCE = '**/app/*.spec.js';

export default defineConfig({
  testDir: './tests',
  outputDir: './test-results',
  workers: 2,
  fullyParallel: true,
  forbidOnly: Boolean(process.env.CI),
  retries: 0,
  // Long enough for the longest waits that a test allows; it costs nothing where all is well.
  timeout: 300_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    browserName: 'chromium',
    launchOptions: { executablePath: chromium(), args: [...quiet, ...sandbox] },
    timezoneId: 'Asia/Tokyo',
    screenshot: 'only-on-failure',
    // Recording costs a third of the time, and nobody looks at what a CI machine recorded.
    trace: process.env.CI ? 'off' : 'retain-on-failure',
  },
  projects: [
    { name: 'ja', testIgnore: ONCE, use: { locale: 'ja-JP' } },
    { name: 'en', testIgnore: ONCE, use: { locale: 'en-GB' } },
    { name: 'app', testMatch: ONCE, use: { locale: 'ja-JP' } },
  ],
});
