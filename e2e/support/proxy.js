// A reverse proxy on loopback that hands each request to the next of several servers, and keeps what passes.
import http from 'node:http';
import { once } from 'node:events';
import net from 'node:net';

export class Proxy {
  constructor() {
    /** @type {number[]} ports of the servers behind it; each request goes to the next one */
    this.targets = [];
    /** How many requests each server was handed. @type {Map<number, number>} */
    this.handed = new Map();
    /** Every byte of every request and response: request lines, header lines, bodies. @type {Buffer[]} */
    this.record = [];
    this.port = 0;
    this.next = 0;
    this.server = http.createServer((request, response) => this.pass(request, response));
  }

  /** @param {number} [port] */
  static async start(port = 0) {
    const proxy = new Proxy();
    proxy.server.listen(port, '127.0.0.1');
    await once(proxy.server, 'listening');
    proxy.port = /** @type {net.AddressInfo} */ (proxy.server.address()).port;
    return proxy;
  }

  /** The address to give to the browser and the app. */
  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Everything that passed so far, in one piece. */
  recorded() {
    return Buffer.concat(this.record);
  }

  /**
   * @param {http.IncomingMessage} request
   * @param {http.ServerResponse} response
   */
  pass(request, response) {
    const port = this.targets[this.next++ % this.targets.length];
    this.handed.set(port, (this.handed.get(port) ?? 0) + 1);
    const headers = headerLines(request.rawHeaders).filter(([name]) => name.toLowerCase() !== 'accept-encoding');
    this.keep(`${request.method} ${request.url}\n`, headers);

    const onward = http.request({
      host: '127.0.0.1',
      port,
      method: request.method,
      path: request.url,
      // Nothing compressed: what is recorded is meant to be searched.
      headers: headers.flat(),
      agent: false,
    });
    onward.on('error', () => response.writeHead(502).end());
    onward.on('response', (answer) => {
      const headers = headerLines(answer.rawHeaders);
      this.keep(`${answer.statusCode}\n`, headers);
      response.writeHead(answer.statusCode ?? 502, headers.flat());
      answer.on('data', (piece) => this.record.push(piece)).pipe(response);
    });
    request.on('data', (piece) => this.record.push(piece)).pipe(onward);
  }

  /**
   * @param {string} first
   * @param {[string, string][]} headers
   */
  keep(first, headers) {
    this.record.push(Buffer.from(first + headers.map(([name, value]) => `${name}: ${value}\n`).join('')));
  }

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

/**
 * @param {string[]} raw names and values in turn
 * @returns {[string, string][]}
 */
function headerLines(raw) {
  return Array.from({ length: raw.length / 2 }, (_, at) => [raw[2 * at], raw[2 * at + 1]]);
}
