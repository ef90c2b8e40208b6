// The bank's own system, which asks the service over its API.
import { readFileSync } from 'node:fs';
import path from 'node:path';

export class Bank {
  /** @param {import('./service.js').Demo} demo */
  constructor(demo) {
    const { api } = JSON.parse(readFileSync(path.join(demo.folder, 'data', 'demo.json'), 'utf8'));
    this.key = api.key;
    this.users = `${api.url}/services/${demo.serviceId}/users`;
  }

  /**
   * @param {import('./service.js').User} user
   * @param {string} path
   * @param {object} [body] posted
   * @returns {Promise<any>}
   */
  async ask({ login_id }, path, body) {
    const answer = await fetch(`${this.users}/${login_id}/${path}`, {
      method: body ? 'POST' : 'GET',
      headers: { Authorization: `Bearer ${this.key}`, ...(body ? { 'Content-Type': 'application/json' } : {}) },
      body: body && JSON.stringify(body),
    });
    const json = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${JSON.stringify(json)}`);
    return json;
  }

  /** The verdict on a code. @param {import('./service.js').User} user @param {string} code @returns {Promise<string>} */
  async verdict(user, code) {
    return (await this.ask(user, 'verify', { code })).verdict;
  }

  /** Wrong codes until the one-time password is suspended. @param {import('./service.js').User} user */
  async suspend(user) {
    for (;;) {
      if ((await this.ask(user, 'verify', { code: '000000' })).just_suspended) return;
    }
  }

  /** @param {import('./service.js').User} user */
  release(user) {
    return this.ask(user, 'release', {});
  }

  /** @param {import('./service.js').User} user */
  revoke(user) {
    return this.ask(user, 'revoke', {});
  }

  /** @param {import('./service.js').User} user */
  token(user) {
    return this.ask(user, 'token');
  }
}
