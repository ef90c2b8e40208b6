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
    const now_s = () => Date.now() / 1000 + this.ahead_s;
    const next = this.lastStep + 1;
    // Into the middle of the step: the app corrects its clock by what it measured, and that is never exact.
    const intoNext_s = () => Math.ceil((next + 0.5) * STEP_S - now_s());
    let further_s = Math.floor(now_s() / STEP_S) >= next ? 0 : intoNext_s();
    for (;;) {
      const args = ['code', '--json', ...(id ? ['--id', id] : [])];
      const { status, stdout, stderr } = await this.command(args, { ahead_s: this.ahead_s + further_s });
      if (status !== 0) throw new Error(`no code (status ${status}): ${stderr}`);
      const { code, expires_in_s } = JSON.parse(stdout);
      const step = Math.round((now_s() + further_s + expires_in_s) / STEP_S) - 1;
      if (step >= next) {
        this.lastStep = step;
        return code;
      }
      further_s = intoNext_s();
    }
  }
}
