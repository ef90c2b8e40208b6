// A real SMTP server on loopback: STARTTLS with a certificate of its own authority, and a sign-in.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { Mailbox } from './mail.js';
import { Program, freePort, python, root, run } from './machine.js';

export class SmtpServer {
  /** @param {string} folder where its keys, its log and the mails go */
  constructor(folder) {
    this.folder = folder;
    this.user = 'warifu';
    this.password = randomBytes(12).toString('hex');
    /** The certificate of the authority, PEM. */
    this.authority = path.join(folder, 'authority.pem');
    this.mails = new Mailbox(path.join(folder, 'mails'));
    this.port = 0;
  }

  /** @param {string} folder */
  static async start(folder) {
    mkdirSync(folder, { recursive: true });
    const server = new SmtpServer(folder);
    await server.makeCertificate();
    server.port = await freePort();
    const file = (/** @type {string} */ name) => path.join(folder, name);
    const script = path.join(root, 'e2e', 'support', 'smtp_server.py');
    server.program = new Program(
      python,
      [script, server.mails.folder, String(server.port), file('server.pem'), file('server.key')],
      { log: file('smtp.log'), env: { SMTP_USER: server.user, SMTP_PASSWORD: server.password } },
    );
    await server.program.until(() => answers(server.port));
    return server;
  }

  async makeCertificate() {
    const file = (/** @type {string} */ name) => path.join(this.folder, name);
    const openssl = async (/** @type {string[]} */ ...args) => {
      const { status, stderr } = await run('openssl', args);
      if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
    };
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await openssl('req', '-x509', ...curve, '-subj', '/CN=Test authority', '-days', '2', '-keyout', file('authority.key'), '-out', this.authority);
    await openssl('req', ...curve, '-subj', '/CN=localhost', '-keyout', file('server.key'), '-out', file('server.csr'));
    writeFileSync(file('server.ext'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n');
    await openssl('x509', '-req', '-in', file('server.csr'), '-CA', this.authority, '-CAkey', file('authority.key'), '-CAcreateserial', '-days', '2', '-extfile', file('server.ext'), '-out', file('server.pem'));
  }

  async stop() {
    await this.program?.stop();
  }
}

/** @param {number} port @returns {Promise<boolean>} */
function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('connect', () => socket.end());
  });
}
