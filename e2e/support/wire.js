// A wire with a meter: passes every byte between a browser and a service on, and counts those that come back.
import { once } from 'node:events';
import net from 'node:net';

const HEAD_ENDS = Buffer.from('\r\n\r\n');

export class Wire {
  /** Bytes of the answers' heads, as HTTP/1.1 sends them. */
  heads = 0;
  /** Bytes of the answers' bodies, packed as they were sent. */
  bodies = 0;
  answers = 0;
  url = '';
  #server;

  /** @param {number} port of the service */
  constructor(port) {
    this.#server = net.createServer((browser) => {
      const service = net.connect(port, '127.0.0.1');
      const meter = this.#meter();
      browser.on('error', () => service.destroy()).pipe(service);
      service.on('error', () => browser.destroy()).pipe(browser);
      service.on('data', meter);
    });
  }

  /** Reads the answers of one connection. @returns {(piece: Buffer) => void} */
  #meter() {
    let head = Buffer.alloc(0);
    let bodyLeft = 0;
    return (piece) => {
      while (piece.length > 0) {
        const ofBody = piece.subarray(0, bodyLeft);
        bodyLeft -= ofBody.length;
        this.bodies += ofBody.length;
        piece = piece.subarray(ofBody.length);
        if (piece.length === 0) return;
        const before = head.length;
        head = Buffer.concat([head, piece]);
        const end = head.indexOf(HEAD_ENDS);
        if (end < 0) return;
        const length = end + HEAD_ENDS.length;
        const [, declared] = /^content-length: *(\d+)/im.exec(head.toString('latin1', 0, length)) ?? [];
        if (/^transfer-encoding:/im.test(head.toString('latin1', 0, length))) throw new Error('an answer does not say how long it is');
        this.heads += length;
        this.answers += 1;
        bodyLeft = Number(declared ?? 0);
        piece = piece.subarray(length - before);
        head = Buffer.alloc(0);
      }
    };
  }

  /** @param {number} port of the service */
  static async to(port) {
    const wire = new Wire(port);
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    wire.url = `http://127.0.0.1:${/** @type {net.AddressInfo} */ (wire.#server.address()).port}`;
    return wire;
  }

  /** Takes no more browsers. */
  stop() {
    this.#server.close();
  }
}
