// What a copy of a browser's profile gives: the keys that lie in its files, tried on what was sealed.
import { createDecipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { filesBelow } from './machine.js';

const KEY_BYTES = 32;
const TAG_BYTES = 16;
/** Random bytes are rarely the same: what has fewer different ones is no key. */
const DIFFERENT_BYTES_MIN = 20;

/** @typedef {{ iv: number[], data: number[] }} Sealed what AES-GCM made, the tag behind it */

/** The files of the profile that the app's database is in. @param {string} profile */
export function databaseFiles(profile) {
  return filesBelow(path.join(profile, 'Default', 'IndexedDB'));
}

/**
 * Tries every 32 bytes that lie beside each other in the files as the key.
 *
 * @param {string[]} files
 * @param {Sealed} sealed
 * @param {string} named the additional data
 * @returns {Buffer | null} what was sealed
 */
export function openedByBytesOf(files, { iv, data }, named) {
  const tag = Buffer.from(data.slice(-TAG_BYTES));
  const text = Buffer.from(data.slice(0, -TAG_BYTES));
  for (const file of files) {
    const bytes = readFileSync(file);
    for (let at = 0; at + KEY_BYTES <= bytes.length; at += 1) {
      const key = bytes.subarray(at, at + KEY_BYTES);
      if (new Set(key).size < DIFFERENT_BYTES_MIN) continue;
      const aes = createDecipheriv('aes-256-gcm', key, Buffer.from(iv)).setAAD(Buffer.from(named)).setAuthTag(tag);
      try {
        return Buffer.concat([aes.update(text), aes.final()]);
      } catch {
        // Another key.
      }
    }
  }
  return null;
}
