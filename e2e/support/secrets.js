// Looking for secrets in whatever was written down or sent.

/**
 * The forms in which a secret might lie in a text or a file: as it is, in hexadecimal, in base64 at any alignment, as in a
 * form's body.
 *
 * @param {string | Buffer} secret
 * @returns {Buffer[]}
 */
function forms(secret) {
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    // The first and last characters also hold bits of the neighbours.
    const whole = text.slice(shift === 0 ? 0 : shift + 1, Math.floor(((shift + bytes.length) * 8) / 6));
    return [whole, whole.replaceAll('+', '-').replaceAll('/', '_')];
  });
  const hex = bytes.toString('hex');
  const texts = [hex, hex.toUpperCase(), ...base64];
  if (typeof secret === 'string') texts.push(encodeURIComponent(secret), [...secret].join('\0'));
  return [bytes, ...texts.map((text) => Buffer.from(text))];
}

/**
 * Which of the secrets lie in the bytes.
 *
 * @param {Buffer | string} bytes
 * @param {Record<string, string | Buffer>} secrets by a name that may be printed
 * @returns {string[]} their names
 */
export function found(bytes, secrets) {
  const hay = Buffer.from(bytes);
  return Object.entries(secrets)
    .filter(([, secret]) => forms(secret).some((form) => hay.includes(form)))
    .map(([name]) => name);
}
