// A reverse proxy on loopback that hands each request to the next of several servers, and keeps what passes.
import http from 'node:http';
import { once } from 'node:events';
import net from 'node:net';

/**
 * One request and its response, every byte of both but the line breaks of their heads.
 *
 * @typedef {object} Exchange
 * @property {string} method
 * @property {string} path with the query
 * @property {string} requestHead
 * @property {Buffer[]} requestBody
 * @property {string} responseHead
 * @property {Buffer[]} responseBody
 */

export class Proxy {
  constructor() {
    /** @type {number[]} ports of the servers behind it; each request goes to the next one */
    this.targets = [];
    /** How many requests each server was handed. @type {Map<number, number>} */
    this.handed = new Map();
    /** @type {Exchange[]} */
    this.exchanges = [];
    this.port = 0;
    this.next = 0;
    this.server = http.createServer((request, response) => this.pass(request, response));
  }

  static async start() {
    const proxy = new Proxy();
    await proxy.listen();
    return proxy;
  }

  async listen() {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = /** @type {net.AddressInfo} */ (this.server.address()).port;
  }

  /** The address to give to the browser and the app. */
  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /**
   * @param {http.IncomingMessage} request
   * @param {http.ServerResponse} response
   */
  pass(request, response) {
    const port = this.targets[this.next++ % this.targets.length];
    this.handed.set(port, (this.handed.get(port) ?? 0) + 1);
    // Nothing compressed: what is recorded is meant to be searched.
    const headers = pairs(request.rawHeaders).filter(([name]) => name.toLowerCase() !== 'accept-encoding');
    /** @type {Exchange} */
    const exchange = {
      method: request.method ?? '',
      path: request.url ?? '',
      requestHead: head(`${request.method} ${request.url}`, headers),
      requestBody: [],
      responseHead: '',
      responseBody: [],
    };
    this.exchanges.push(exchange);

    const onward = http.request({
      host: '127.0.0.1',
      port,
      method: request.method,
      path: request.url,
      headers: headers.flat(),
      agent: false,
    });
    onward.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    onward.on('response', (answer) => {
      const headers = pairs(answer.rawHeaders);
      exchange.responseHead = head(String(answer.statusCode), headers);
      response.writeHead(answer.statusCode ?? 502, headers.flat());
      answer.on('data', (piece) => exchange.responseBody.push(piece)).pipe(response);
    });
    request.on('data', (piece) => exchange.requestBody.push(piece)).pipe(onward);
  }

  /** Stops it. Again, does nothing. */
  async stop() {
    if (!this.server.listening) return;
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

/**
 * @param {string[]} raw names and values in turn
 * @returns {[string, string][]}
 */
function pairs(raw) {
  return Array.from({ length: raw.length / 2 }, (_, at) => [raw[2 * at], raw[2 * at + 1]]);
}

/** @param {string} first @param {[string, string][]} headers */
function head(first, headers) {
  return [first, ...headers.map(([name, value]) => `${name}: ${value}`)].join('\n');
}
