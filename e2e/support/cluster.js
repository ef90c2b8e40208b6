// The service as an operator runs it: `warifu serve` from a configuration file, on one node or more, with mail over SMTP,
// behind a proxy.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Program, freePort, run, warifu } from './machine.js';
import { Proxy } from './proxy.js';
import { answers } from './service.js';
import { SmtpServer } from './smtp.js';

/** @typedef {import('./service.js').User} User */

const PEOPLE = /** @type {const} */ ([
  ['master-1', 'master'],
  ['administrator-1', 'administrator'],
  ['general-1', 'general'],
]);

export class Cluster {
  /** @param {string} folder */
  constructor(folder) {
    this.folder = folder;
    /** @type {Program[]} */
    this.nodes = [];
    /** @type {User[]} */
    this.users = PEOPLE.map(([login_id, role]) => ({
      login_id,
      role,
      password: `Pw-${randomBytes(9).toString('hex')}`,
      confirmation_password: `Cp-${randomBytes(9).toString('hex')}`,
    }));
    /** Where the data is: a file, or an address of PostgreSQL. */
    this.database = path.join(folder, 'warifu.db');
  }

  /** Where the browser and the app reach it. */
  get url() {
    return /** @type {Proxy} */ (this.proxy).url;
  }

  /** What came by mail. */
  get mails() {
    return /** @type {SmtpServer} */ (this.smtp).mails;
  }

  /** @param {{ nodes: number, postgres: boolean }} options */
  async start({ nodes, postgres }) {
    mkdirSync(this.folder, { recursive: true });
    this.smtp = await SmtpServer.start(path.join(this.folder, 'smtp'));
    this.proxy = await Proxy.start();
    if (postgres) this.database = await newDatabase();

    for (let at = 1; at <= nodes; at += 1) {
      const port = await freePort();
      this.proxy.targets.push(port);
      this.configure(at, port);
    }
    await this.provision();
    for (const [at, port] of this.proxy.targets.entries()) {
      const config = this.file(`node-${at + 1}.toml`);
      const node = new Program(warifu(), ['serve', '--config', config], { log: this.file(`node-${at + 1}.log`) });
      this.nodes.push(node);
      await node.until(() => answers(`http://127.0.0.1:${port}/`));
    }
  }

  /** @param {string} name */
  file(name) {
    return path.join(this.folder, name);
  }

  /** @param {number} at @param {number} port */
  configure(at, port) {
    const { smtp } = /** @type {{ smtp: SmtpServer }} */ (this);
    const text = JSON.stringify;
    writeFileSync(this.file('smtp-password'), smtp.password, { mode: 0o600 });
    const settings = `
      listen = "127.0.0.1:${port}"
      public_url = ${text(this.url)}
      root_key = "root.key"
      trusted_proxies = ["127.0.0.1"]

      [database]
      url = ${text(this.database)}

      [log]
      level = "trace"

      [mail]
      from = "Test Bank <otp@bank.example>"

      [mail.smtp]
      host = "localhost"
      port = ${smtp.port}
      security = "starttls"
      username = ${text(smtp.user)}
      password_file = "smtp-password"
      ca_file = ${text(smtp.authority)}
    `;
    writeFileSync(this.file(`node-${at}.toml`), settings, { mode: 0o600 });
  }

  /** Makes the company and its people, as an operator does. */
  async provision() {
    const text = JSON.stringify;
    const people = this.users.map(
      (user) => `
        [[contract.user]]
        login_id = ${text(user.login_id)}
        name = ${text(user.login_id)}
        role = ${text(user.role)}
        password = ${text(user.password)}
        confirmation_password = ${text(user.confirmation_password)}
      `,
    );
    const plan = `
      [service]
      id = "test-bank"
      name_ja = "テスト銀行"
      name_en = "Test Bank"
      time_zone = "Asia/Tokyo"
      help_desk = "0120-000-000"

      [[contract]]
      name = "株式会社テスト"
      ${people.join('')}
    `;
    const args = ['provision', '-', '--config', this.file('node-1.toml')];
    const { status, stderr } = await run(warifu(), args, { input: plan });
    if (status !== 0) throw new Error(`warifu provision: ${stderr}`);
  }

  /** @param {User['role']} role @returns {User} */
  user(role) {
    const user = this.users.find((user) => user.role === role);
    if (!user) throw new Error(`the company has no ${role}`);
    return user;
  }

  /** Stops all of it. Again, does nothing. */
  async stop() {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.proxy?.stop();
    await this.smtp?.stop();
  }
}

/** A new database on the server of the tests. @returns {Promise<string>} its address */
async function newDatabase() {
  const server = process.env.WARIFU_TEST_POSTGRES_URL;
  if (!server) throw new Error('WARIFU_TEST_POSTGRES_URL names no server: run `cargo xtask test --only e2e`');
  const name = `e2e_${randomBytes(8).toString('hex')}`;
  const { status, stderr } = await run('psql', [server, '--no-psqlrc', '--command', `CREATE DATABASE ${name}`]);
  if (status !== 0) throw new Error(`psql: ${stderr}`);
  const address = new URL(server);
  address.pathname = `/${name}`;
  // On loopback, and the cluster of the tests has no certificate.
  address.searchParams.set('sslmode', 'disable');
  return address.href;
}
