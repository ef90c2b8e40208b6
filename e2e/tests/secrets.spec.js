// R24, R45: secrets are planted, and then looked for in everything that was sent or written down.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { carryOut, enrol, expectTitle, openTask, signInWithCode, signOut, suspend } from '../support/journey.js';
import { filesBelow, root, run } from '../support/machine.js';
import { found } from '../support/secrets.js';
import { expect, test } from '../support/test.js';

/** The paths that a portal password or a confirmation password is sent to, in the body and nowhere else. */
const PASSWORD_FORMS = ['/sign-in', '/manage/users/release', '/manage/users/revoke'];

for (const postgres of [false, true]) {
  const database = postgres ? 'PostgreSQL' : 'SQLite';

  test(`no secret is sent or written down: ${database}`, async ({ page, cluster, labels, phone, otherPerson }) => {
    const activationPasswords = { master: '83517294', general: '60948213' };
    const service = await cluster({ nodes: 1, postgres });
    const [master, general] = [service.user('master'), service.user('general')];
    const apps = { master: phone(), general: phone() };

    const generalsPage = await otherPerson();
    const first = await enrol(generalsPage, labels, service, general, apps.general, {
      activationPassword: activationPasswords.general,
    });
    await signOut(generalsPage, labels);
    await suspend(generalsPage, labels, service.url, general);
    const second = await enrol(page, labels, service, master, apps.master, { activationPassword: activationPasswords.master });
    await openTask(page, labels, labels.manage.release);
    await carryOut(page, labels, { actor: master, targets: [general], button: labels.manage.releaseButton });
    await expectTitle(page, labels.manage.releaseResult);
    await signInWithCode(generalsPage, labels, service.url, general, apps.general);
    const dump = postgres ? await dumped(service.database) : '';
    await service.stop();

    /** @type {Record<string, string | Buffer>} */
    const neverSent = {
      'activation password of the master': activationPasswords.master,
      'activation password of the general user': activationPasswords.general,
    };
    for (const [name, app] of Object.entries(apps)) {
      const seeds = await seedsOf(app.home);
      expect(seeds, `the ${name} has one token`).toHaveLength(1);
      neverSent[`seed of the ${name}`] = seeds[0];
    }
    /** @type {Record<string, string | Buffer>} */
    const passwords = {};
    for (const user of service.users) {
      passwords[`password of ${user.login_id}`] = user.password;
      passwords[`confirmation password of ${user.login_id}`] = user.confirmation_password;
    }

    await test.step('between browser, app and server', () => {
      const { exchanges } = /** @type {import('../support/proxy.js').Proxy} */ (service.proxy);
      let seenInForms = 0;
      for (const exchange of exchanges) {
        const where = `${exchange.method} ${exchange.path}`;
        const requestBody = Buffer.concat(exchange.requestBody);
        const rest = [exchange.requestHead, exchange.responseHead, Buffer.concat(exchange.responseBody)];
        for (const bytes of [requestBody, ...rest]) expect(found(bytes, neverSent), where).toEqual([]);
        for (const bytes of rest) expect(found(bytes, passwords), where).toEqual([]);
        const inBody = found(requestBody, passwords).length;
        if (exchange.method !== 'POST' || !PASSWORD_FORMS.includes(exchange.path)) expect(inBody, where).toBe(0);
        seenInForms += inBody;
      }
      // What is looked for can be found: the capture holds the forms with their passwords.
      expect(seenInForms).toBeGreaterThanOrEqual(4);
    });

    await test.step('in the files of the service, its logs and its mails', async () => {
      const codes = { 'code of the general user': first.code, 'code of the master': second.code };
      const written = filesBelow(service.folder).filter((file) => !isSecretOfTheOperator(file));
      expect(written.some((file) => file.endsWith('node-1.log'))).toBe(true);
      for (const file of written) {
        expect(found(readFileSync(file), { ...neverSent, ...passwords }), path.relative(service.folder, file)).toEqual([]);
      }
      for (const file of written.filter((file) => file.endsWith('.log'))) {
        expect(found(withoutNumbers(readFileSync(file, 'utf8')), { ...codes, 'SMTP password': service.smtp?.password ?? '' }), file).toEqual([]);
      }
      const mails = await service.mails.all();
      expect(mails.length).toBeGreaterThanOrEqual(2);
      for (const mail of mails) expect(found(JSON.stringify(mail), { ...neverSent, ...passwords, ...codes }), mail.subject).toEqual([]);
    });

    await test.step('in the database', () => {
      // Beside the database lies its log of what is not yet in it.
      const files = filesBelow(service.folder).filter((file) => file.startsWith(service.database));
      const content = postgres ? Buffer.from(dump) : Buffer.concat(files.map((file) => readFileSync(file)));
      expect(content.includes(first.userId.replaceAll('-', '')), 'the content is the right one').toBe(true);
      expect(found(content, { ...neverSent, ...passwords })).toEqual([]);
    });

    await test.step('in the folder of the app', () => {
      for (const app of Object.values(apps)) {
        for (const file of filesBelow(app.home)) expect(found(readFileSync(file), neverSent), file).toEqual([]);
      }
    });
  });
}

/** The operator's own files hold secrets by their purpose. @param {string} file */
function isSecretOfTheOperator(file) {
  return ['smtp-password', 'root.key', 'authority.key', 'server.key'].includes(path.basename(file));
}

/** A log without its times and the names of requests: among so many digits any six are found now and then. @param {string} log */
function withoutNumbers(log) {
  return Buffer.from(log.replace(/^\S+Z\b|\b(?:request_)?id=[0-9a-f]{16}\b|\belapsed_ms=\S+/gm, ''));
}

/** The seeds of an app's tokens. @param {string} home @returns {Promise<Buffer[]>} */
async function seedsOf(home) {
  const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
  const { status, stdout, stderr } = await run(path.join(target, 'debug', 'examples', 'seeds'), [home]);
  if (status !== 0) throw new Error(`the seeds cannot be read: ${stderr}`);
  return stdout.trim().split('\n').map((line) => Buffer.from(line, 'hex'));
}

/** The content of a PostgreSQL database as text. @param {string} address @returns {Promise<string>} */
async function dumped(address) {
  const { status, stdout, stderr } = await run('pg_dump', ['--dbname', address]);
  if (status !== 0) throw new Error(`pg_dump: ${stderr}`);
  return stdout;
}
