// The person's phone: `warifu authenticator` with a folder of its own.
import { run, warifu, withClock } from './machine.js';

/** Seconds that a code lasts, by the policy of the demo. */
const STEP_S = 60;

export class Authenticator {
  /** @param {string} home the folder that holds its tokens */
  constructor(home) {
    this.home = home;
    /** Seconds that its clock, and the service's, are ahead of ours. */
    this.ahead_s = 0;
    /** The time step of the last code it gave. */
    this.lastStep = 0;
  }

  /**
   * @param {string[]} args
   * @param {{ input?: string, ahead_s?: number }} [options]
   */
  command(args, { input = '', ahead_s = this.ahead_s } = {}) {
    return run(warifu(), ['authenticator', '--home', this.home, ...args], { input, env: withClock(ahead_s) });
  }

  /**
   * Adds a token, as a person does who types the two ids and the activation password.
   *
   * @param {{ server: string, serviceId: string, userId: string, activationPassword: string }} token
   */
  add({ server, serviceId, userId, activationPassword }) {
    const args = ['add', '--server', server, '--service-id', serviceId, '--user-id', userId, '--activation-password-stdin'];
    return this.command(args, { input: `${activationPassword}\n` });
  }

  /**
   * A code that was not given before. When the present one was, the next one is given: the service accepts one step ahead.
   *
   * @param {string} [id] of the token; needed when there are several
   * @returns {Promise<string>}
   */
  async code(id) {
    const now = Math.floor(Date.now() / 1000) + this.ahead_s;
    const step = Math.max(Math.floor(now / STEP_S), this.lastStep + 1);
    const ahead_s = this.ahead_s + Math.max(0, step * STEP_S - now);
    const args = ['code', '--json', ...(id ? ['--id', id] : [])];
    const { status, stdout, stderr } = await this.command(args, { ahead_s });
    if (status !== 0) throw new Error(`no code (status ${status}): ${stderr}`);
    this.lastStep = step;
    return JSON.parse(stdout).code;
  }
}
