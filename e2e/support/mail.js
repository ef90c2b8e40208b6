// Reading the mails that the service sent: from the demo's folder, or from the folder of the SMTP server.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { python, root, run } from './machine.js';

/** How long a mail may take to arrive, in milliseconds. */
const ARRIVES_MS_MAX = 30_000;

/** What stands before the ids in a mail; people and programs look for these words. */
const SERVICE_ID_LABELS = ['サービスID', 'Service ID'];
const USER_ID_LABELS = ['ユーザID', 'User ID'];

/** @typedef {{ from: string, to: string, subject: string, message_id: string, text: string }} Mail */

/** A folder that `.eml` files arrive in. */
export class Mailbox {
  /** @param {string} folder */
  constructor(folder) {
    this.folder = folder;
    /** @type {Map<string, Mail>} what was read already, by file */
    this.read = new Map();
  }

  /** Every mail so far, in the order of arrival as the file names tell it. */
  async all() {
    const names = (await readdir(this.folder).catch(() => [])).filter((name) => name.endsWith('.eml')).sort();
    for (const name of names.filter((name) => !this.read.has(name))) {
      const script = path.join(root, 'e2e', 'support', 'read_mail.py');
      const { status, stdout, stderr } = await run(python, [script, path.join(this.folder, name)]);
      if (status !== 0) throw new Error(`${name} cannot be read as a mail: ${stderr}`);
      this.read.set(name, JSON.parse(stdout));
    }
    return names.map((name) => /** @type {Mail} */ (this.read.get(name)));
  }

  /**
   * The first mail that fits, as soon as it is there.
   *
   * @param {(mail: Mail) => boolean} fits
   */
  async first(fits) {
    const end = Date.now() + ARRIVES_MS_MAX;
    for (;;) {
      const mail = (await this.all()).find(fits);
      if (mail) return mail;
      if (Date.now() > end) {
        const seen = (await this.all()).map((mail) => `${mail.to}: ${mail.subject}`).join('\n');
        throw new Error(`the mail did not come to ${this.folder}; there were:\n${seen}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /**
   * The two ids in a mail to an address; waits for one that is not `known`. A mail is written in its reader's language,
   * whatever language the page was in.
   *
   * @param {string} to
   * @param {string[]} [known] token user ids of earlier mails
   * @returns {Promise<{ serviceId: string, userId: string, mail: Mail }>}
   */
  async ids(to, known = []) {
    const mail = await this.first((mail) => {
      const userId = valueOf(mail, USER_ID_LABELS);
      return mail.to.includes(to) && userId !== undefined && !known.includes(userId);
    });
    return { serviceId: valueOf(mail, SERVICE_ID_LABELS) ?? '', userId: valueOf(mail, USER_ID_LABELS) ?? '', mail };
  }
}

/** @param {Mail} mail @param {string[]} labels @returns {string | undefined} */
function valueOf(mail, labels) {
  for (const line of mail.text.split(/\r?\n/)) {
    const label = labels.find((label) => line.startsWith(`${label}: `));
    if (label) return line.slice(label.length + 2).trim();
  }
  return undefined;
}
