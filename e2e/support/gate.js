// Between the app and the service: a network that loses what a test wants lost, or brings another answer.
import http from 'node:http';
import { Proxy } from './proxy.js';

const FINISH = '/activation/v1/finish';

/**
 * @typedef {'request' | 'answer'} Direction the way there, before the service sees it; or the way back, after it has acted
 * @typedef {{ path: string, direction: Direction, happened: () => void }} Hold
 */

export class Gate extends Proxy {
  /** @type {Hold | undefined} */
  #hold;
  /** @type {Map<string, (body: Buffer) => Buffer | string>} */
  #rewrites = new Map();
  /** The finishes that the service took, repeated ones as often as they came. @type {string[]} */
  #activated = [];
  /** Nobody answers. */
  down = false;
  /** The path of a file that does not come. @type {string | undefined} */
  lost = undefined;

  /** @param {number} port of the service */
  static async to(port) {
    const gate = new Gate();
    gate.targets.push(port);
    await gate.listen();
    return gate;
  }

  /**
   * Lets one message of a path stay on its way, for good.
   *
   * @param {string} path
   * @param {Direction} direction
   * @returns {Promise<void>} when it is held
   */
  hold(path, direction) {
    return new Promise((resolve) => (this.#hold = { path, direction, happened: resolve }));
  }

  /** Lets everything pass again. */
  release() {
    this.#hold = undefined;
  }

  /** Answers with another body. @param {string} path @param {(body: Buffer) => Buffer | string} rewrite */
  rewrite(path, rewrite) {
    this.#rewrites.set(path, rewrite);
  }

  /** How many different tokens the service said it activated. */
  activations() {
    return new Set(this.#activated).size;
  }

  /** @param {http.IncomingMessage} request @param {http.ServerResponse} response */
  pass(request, response) {
    const held = this.#hold?.path === request.url ? this.#hold : undefined;
    if (this.down || this.lost === request.url) {
      request.socket.destroy();
      return;
    }
    if (held?.direction === 'request') {
      held.happened();
      return;
    }
    const rewrite = this.#rewrites.get(request.url ?? '');
    if (!held && !rewrite && request.url !== FINISH) {
      super.pass(request, response);
      return;
    }
    /** @type {Buffer[]} */
    const sent = [];
    request.on('data', (piece) => sent.push(piece)).on('end', async () => {
      const method = request.method ?? 'GET';
      const body = method === 'GET' || method === 'HEAD' ? undefined : Buffer.concat(sent);
      const headers = new Headers();
      for (const name of ['content-type', 'cookie', 'warifu-proof']) {
        const value = request.headers[name];
        if (typeof value === 'string') headers.set(name, value);
      }
      const answer = await fetch(`http://127.0.0.1:${this.targets[0]}${request.url}`, { method, headers, body, redirect: 'manual' });
      const answered = Buffer.from(await answer.arrayBuffer());
      if (request.url === FINISH && answer.ok) this.#activated.push(Buffer.concat(sent).toString('hex'));
      if (held) {
        held.happened();
        return;
      }
      const type = answer.headers.get('content-type') ?? '';
      const rewritten = rewrite?.(answered) ?? answered;
      response.writeHead(answer.status, { 'content-type': type, 'cache-control': 'no-cache' }).end(rewritten);
    });
  }
}
