// @ts-check
// The device's own user verification (face, finger, device PIN) as a key for the app lock: WebAuthn with its PRF extension.
// The credential signs in nowhere; only the 32 bytes that the authenticator computes for our salt are used.

const SALT_BYTES = 32;

/** Whether this browser may offer it at all. The answer of the device comes only when it is tried. */
export async function devicesMayVerify() {
  const { PublicKeyCredential } = window;
  if (!PublicKeyCredential || /^[\d.]+$|:/.test(location.hostname)) return false;
  return PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable().catch(() => false);
}

/**
 * Makes a credential on this device and the key that it computes.
 *
 * @param {string} label what the device calls it
 * @returns {Promise<{ prf: Uint8Array<ArrayBuffer>, credentialId: Uint8Array<ArrayBuffer>, salt: Uint8Array<ArrayBuffer> } | null>} null when
 *   the person gave up or the device cannot do it
 */
export async function makePasskey(label) {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  try {
    const made = await navigator.credentials.create({
      publicKey: {
        rp: { id: location.hostname, name: 'Warifu' },
        user: { id: crypto.getRandomValues(new Uint8Array(16)), name: label, displayName: label },
        challenge: crypto.getRandomValues(new Uint8Array(32)),
        pubKeyCredParams: [
          { type: 'public-key', alg: -7 },
          { type: 'public-key', alg: -257 },
        ],
        authenticatorSelection: { authenticatorAttachment: 'platform', residentKey: 'preferred', userVerification: 'required' },
        extensions: { prf: { eval: { first: salt } } },
      },
    });
    if (!(made instanceof PublicKeyCredential)) return null;
    const { prf } = made.getClientExtensionResults();
    if (!prf?.enabled) return null;
    const credentialId = new Uint8Array(made.rawId);
    const first = prf.results?.first ? bytes(prf.results.first) : await askPasskey(credentialId, salt);
    return first && { prf: first, credentialId, salt };
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

/**
 * Lets the device verify its user, and gives the key.
 *
 * @param {Uint8Array<ArrayBuffer>} credentialId @param {Uint8Array<ArrayBuffer>} salt
 * @returns {Promise<Uint8Array<ArrayBuffer> | null>} null when the person gave up
 */
export async function askPasskey(credentialId, salt) {
  try {
    const shown = await navigator.credentials.get({
      publicKey: {
        rpId: location.hostname,
        challenge: crypto.getRandomValues(new Uint8Array(32)),
        allowCredentials: [{ type: 'public-key', id: credentialId, transports: ['internal'] }],
        userVerification: 'required',
        extensions: { prf: { eval: { first: salt } } },
      },
    });
    if (!(shown instanceof PublicKeyCredential)) return null;
    const first = shown.getClientExtensionResults().prf?.results?.first;
    return first ? bytes(first) : null;
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

/** @param {BufferSource} source @returns {Uint8Array<ArrayBuffer>} */
function bytes(source) {
  return source instanceof ArrayBuffer ? new Uint8Array(source) : Uint8Array.from(new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
}
