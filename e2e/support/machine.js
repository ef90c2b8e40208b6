// Programs on this machine: where they are, how they are started and stopped.
import { execFile, spawn } from 'node:child_process';
import { createWriteStream, existsSync, readdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** How long a program may take to stop by itself, in milliseconds. */
const STOP_MS_MAX = 10_000;

/** The root of the checkout. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** The browser: `CHROMIUM`, or the first `chromium` on `PATH`. */
export function chromium() {
  return process.env.CHROMIUM ?? onPath('chromium');
}

/** The program under test: `WARIFU`, or the debug build. */
export function warifu() {
  const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
  return needed(process.env.WARIFU ?? path.join(target, 'debug', 'warifu'));
}

/** Debian's Python, the one that Debian's aiosmtpd belongs to. */
export const python = '/usr/bin/python3';

/** @param {string} file */
function needed(file) {
  if (!existsSync(file)) throw new Error(`${file} is not there: run the browser tests with \`cargo xtask test --only e2e\``);
  return file;
}

/** @param {string} program */
function onPath(program) {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const file = folders.map((folder) => path.join(folder, program)).find((file) => existsSync(file));
  if (!file) throw new Error(`no ${program} on PATH`);
  return file;
}

/**
 * The environment of a program whose clock is ahead of ours. (The command `faketime` would stand between us and the program,
 * and not pass on the signal to stop.)
 *
 * @param {number} ahead_s seconds; 0 for the right time, less for a clock that is behind
 * @returns {Record<string, string>}
 */
export function withClock(ahead_s) {
  return ahead_s === 0 ? {} : { LD_PRELOAD: faketime(), FAKETIME: shift(ahead_s) };
}

/**
 * The environment of a program whose clock is set while it runs: it is ahead by what {@link setClock} wrote last.
 *
 * @param {string} file
 * @returns {Record<string, string>}
 */
export function withClockFile(file) {
  // Setting a clock does not move the other one that counts from the start of the machine, and no timer waits for it.
  const steady = { FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_FORCE_MONOTONIC_FIX: '0' };
  return { LD_PRELOAD: faketime(), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_CACHE_DURATION: '1', ...steady };
}

/** Sets the clock of a program with {@link withClockFile}; it is seen within a second. @param {string} file @param {number} ahead_s */
export function setClock(file, ahead_s) {
  writeFileSync(file, `${shift(ahead_s)}\n`);
}

/** @param {number} ahead_s */
function shift(ahead_s) {
  return `${ahead_s < 0 ? '' : '+'}${ahead_s}s`;
}

function faketime() {
  const libraries = '/usr/lib';
  const library = readdirSync(libraries)
    .map((machine) => path.join(libraries, machine, 'faketime', 'libfaketimeMT.so.1'))
    .find((file) => existsSync(file));
  if (!library) throw new Error(`no libfaketimeMT.so.1 in ${libraries}: Debian has it in the package libfaketime`);
  return library;
}

/** Ports are looked for below those that the system gives to clients, and by each worker where no other one looks. */
const PORTS_FROM = 20_000;
const PORTS_OF_WORKER = 2_000;
let lookedAt = process.pid % PORTS_OF_WORKER;

/** A port of the loopback address that nobody listens on; one that was given is not given again soon. @returns {Promise<number>} */
export async function freePort() {
  const first = PORTS_FROM + PORTS_OF_WORKER * Number(process.env.TEST_PARALLEL_INDEX ?? 0);
  for (;;) {
    lookedAt = (lookedAt + 1) % PORTS_OF_WORKER;
    const port = first + lookedAt;
    if (await isFree(port)) return port;
  }
}

/** @param {number} port @returns {Promise<boolean>} */
function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A program that runs until it is told to stop; what it prints goes to a file. */
export class Program {
  /**
   * @param {string} command
   * @param {string[]} args
   * @param {{ log: string, env?: Record<string, string> }} options `log`: the file for both of its outputs
   */
  constructor(command, args, { log, env = {} }) {
    this.log = log;
    const sink = createWriteStream(log, { flags: 'a' });
    this.child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout.pipe(sink, { end: false });
    this.child.stderr.pipe(sink, { end: false });
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(`cannot start ${command}: ${error.message}`));
      this.child.once('close', (code, signal) => sink.end(() => resolve(`${command} ended: ${signal ?? code}`)));
    });
  }

  /**
   * Waits until `ready` holds.
   *
   * @param {() => Promise<boolean>} ready
   */
  async until(ready) {
    let ended;
    this.ended.then((how) => (ended = how));
    for (;;) {
      if (ended) throw new Error(`${ended}; see ${this.log}`);
      if (await ready()) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Asks the program to end, and waits until it has. Again, does nothing. */
  async stop() {
    const impatient = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS_MAX);
    this.child.kill('SIGTERM');
    await this.ended;
    clearTimeout(impatient);
  }
}

/**
 * Runs a program to its end.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ input?: string, env?: Record<string, string> }} [options] `input`: what it reads from standard input
 * @returns {Promise<{ status: number, stdout: string, stderr: string }>}
 */
export function run(command, args, { input = '', env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { cwd: root, env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(error);
      else resolve({ status: Number(error?.code ?? 0), stdout, stderr });
    });
    child.stdin?.on('error', () => {}).end(input);
  });
}

/**
 * Every file below a folder.
 *
 * @param {string} folder
 * @returns {string[]}
 */
export function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(file);
    return entry.isFile() ? [file] : [];
  });
}
