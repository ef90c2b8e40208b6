// The service under test: `warifu demo`, one process with a made-up company.
import { readFileSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { Mailbox } from './mail.js';
import { Program, freePort, warifu, withClock } from './machine.js';

/**
 * @typedef {{ login_id: string, role: 'master'|'administrator'|'general', password: string, confirmation_password: string }} User
 */

/** `warifu demo` on a folder of its own. */
export class Demo {
  /** @param {string} folder */
  constructor(folder) {
    this.folder = folder;
    this.url = '';
    this.serviceId = '';
    /** @type {User[]} */
    this.users = [];
    /** @type {Mailbox} */
    this.mails = new Mailbox('');
    this.port = 0;
  }

  async start() {
    mkdirSync(this.folder, { recursive: true });
    this.port = await freePort();
    await this.run(0);
  }

  /** @param {number} ahead_s how far the service's clock is ahead */
  async run(ahead_s) {
    const data = path.join(this.folder, 'data');
    const args = ['demo', '--data', data, '--port', String(this.port)];
    this.program = new Program(warifu(), args, { log: path.join(this.folder, 'demo.log'), env: withClock(ahead_s) });
    const file = path.join(data, 'demo.json');
    await this.program.until(async () => existsSync(file) && (await answers(`http://127.0.0.1:${this.port}/`)));
    const facts = JSON.parse(readFileSync(file, 'utf8'));
    this.url = facts.base_url;
    this.serviceId = facts.service_id;
    this.users = facts.users;
    this.mails = new Mailbox(facts.mail_dir);
  }

  /**
   * A user of the company.
   *
   * @param {User['role']} role
   * @param {number} [at] 0 for the first of that role
   * @returns {User}
   */
  user(role, at = 0) {
    const user = this.users.filter((user) => user.role === role)[at];
    if (!user) throw new Error(`the demo has no ${role} number ${at}`);
    return user;
  }

  /**
   * Stops the service and starts it again on the same data.
   *
   * @param {{ ahead_s?: number }} [options] `ahead_s`: how far its clock is ahead from then on
   */
  async restart({ ahead_s = 0 } = {}) {
    await this.stop();
    await this.run(ahead_s);
  }

  async stop() {
    await this.program?.stop();
  }
}

/** True when an HTTP server answers there, whatever it says. @param {string} url */
export async function answers(url) {
  try {
    await fetch(url, { redirect: 'manual' });
    return true;
  } catch {
    return false;
  }
}
