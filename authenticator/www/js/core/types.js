// @ts-check
// The words between the screens and the core. Types only: nothing here runs.

/**
 * @typedef {'none' | 'pin' | 'device'} LockKind
 *   what opens the app: nothing, a PIN, or the device's own user verification (WebAuthn with its PRF extension)
 *
 * @typedef {{ language?: string, hidden?: boolean, lockAfterS?: number }} Settings
 *
 * @typedef {object} Opened
 * @property {LockKind} lock
 * @property {boolean} locked nothing but the settings and the number of tokens is told while it is
 * @property {Uint8Array<ArrayBuffer>} [credentialId] of the passkey that opens a lock of the kind `device`
 * @property {Uint8Array<ArrayBuffer>} [salt] what the passkey's PRF is asked with
 * @property {number} triesLeft wrong PINs until the tokens are erased; the maximum while there is no PIN
 * @property {number} waitMs until the next PIN is judged
 * @property {TokenView[]} tokens in their order; empty while locked
 * @property {number} count of the tokens
 * @property {boolean} evicted there were tokens on this device, and the browser or somebody removed them
 * @property {boolean} erased too many wrong PINs: the tokens can never be opened again, only `startOver` is left
 * @property {Settings} settings
 *
 * @typedef {{ ok: true } | { ok: false, triesLeft: number, waitMs: number } | { erased: true }} Unlocked
 *   `waitMs` is 0 when the next PIN is judged at once. A device's answer that does not fit is not counted.
 *
 * @typedef {'pin_not_digits' | 'pin_length' | 'pin_trivial' | 'locked' | 'erased' | 'out_of_memory'} LockRefusal
 *
 * @typedef {{ pin: string } | { prf: Uint8Array<ArrayBuffer> }} UnlockWith
 *
 * @typedef {{ kind: 'none' } | { kind: 'pin', pin: string }
 *   | { kind: 'device', prf: Uint8Array<ArrayBuffer>, credentialId: Uint8Array<ArrayBuffer>, salt: Uint8Array<ArrayBuffer> }} NewLock
 */

/**
 * @typedef {'unchecked' | 'right' | 'corrected' | 'warn' | 'refused'} ClockState
 *   never measured; right; off, and corrected; off by more than 20 seconds, and corrected; no code is given
 * @typedef {'clock_unsure' | 'clock_backwards'} ClockRefusal
 *   it was off by more than a step and was not measured since the app was opened; it is behind a time that has been
 * @typedef {object} ClockView
 * @property {ClockState} state
 * @property {ClockRefusal} [reason] when refused
 * @property {number} offsetMs what has to be added to this device's clock: positive when the device is slow
 *
 * @typedef {'started' | 'pending' | 'active'} TokenState
 *   the password has to be typed again; `resume` goes on by itself; gives codes
 * @typedef {'activated' | 'in_use' | 'suspended' | 'revoked' | 'expired'} Standing
 *
 * @typedef {object} TokenView
 * @property {string} id inside this app; the server has another name for the token
 * @property {string} serviceId
 * @property {string} tokenUserId 14 digits
 * @property {string | null} name that its owner gave it
 * @property {{ ja: string, en: string } | null} serviceName
 * @property {string | null} userName
 * @property {string | null} helpDesk
 * @property {TokenState} state
 * @property {Standing | null} standing the last one that the server signed
 * @property {number | null} sinceMs when that standing began, by the server
 * @property {number | null} expiresAtMs
 * @property {number | null} renewableFromMs
 * @property {number | null} digits null until active, as `stepS`
 * @property {number | null} stepS
 * @property {number | null} checkedAtMs when the server last answered, by this device's clock
 * @property {ClockView} clock
 */

/**
 * @typedef {'id_length' | 'id_alphabet' | 'id_check_digit'} IdRefusal
 *   not the right number of characters; a character that no such id holds; a typing mistake
 * @typedef {{ value: string, refusal: IdRefusal | null }} CheckedId `value` is the id in its one spelling, or what was typed
 * @typedef {{ serviceId: CheckedId, tokenUserId: CheckedId }} CheckedIds
 *
 * @typedef {'preparing' | 'contacting' | 'checking' | 'finishing'} Stage
 *   of an activation; they may come more than once when an old try has to be begun anew
 *
 * @typedef {{ done: string }
 *   | { refused: string, ended: boolean, retryAfterS?: number }
 *   | { state: 'unreachable', id: string }
 *   | { state: 'password_needed', id: string }} Activated
 *   `refused` is a stable code: one of the server's (docs/errors.md), `app_full`, an id's refusal, or `out_of_memory`.
 *   `ended`: nothing is kept of the try. Otherwise, and when unreachable, `resume` goes on.
 *
 * @typedef {'revoked' | 'expired' | 'suspended' | 'not_active'} CodeRefusal
 * @typedef {{ code: string, next: string, stepS: number, secondsLeft: number, serverNowMs: number }
 *   | { refused: CodeRefusal | ClockRefusal }} CodeNow
 *   `serverNowMs` is this device's time, corrected. `secondsLeft` is whole, 1 to `stepS`.
 *
 * @typedef {{ ok: true } | { refused: string } | { state: 'unreachable' }} Renewed
 * @typedef {{ ok: true } | { refused: 'name_format' }} Renamed
 */

/**
 * @typedef {'locked' | 'not_found' | 'not_loaded' | 'storage' | 'out_of_memory' | 'internal'} CoreErrorCode
 *   why a call failed: the app is locked; there is no such token; a part of the app could not be fetched; the browser
 *   does not keep anything; 64 MiB are needed to judge a PIN; a fault
 * @typedef {'changed' | 'locked'} CoreEvent something that `open()` tells is another than before; the app was locked, here
 *   or in another tab
 */

export {};
