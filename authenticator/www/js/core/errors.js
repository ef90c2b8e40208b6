// @ts-check
// Why a call to the core failed, on both sides of its worker.

/** A call that could not be carried out. What can be refused is a value and not an error. */
export class CoreError extends Error {
  /** @param {import('./types.js').CoreErrorCode} code */
  constructor(code) {
    super(code);
    this.name = 'CoreError';
    /** @readonly */
    this.code = code;
  }
}
