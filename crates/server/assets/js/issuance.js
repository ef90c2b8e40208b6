/**
 * Runs the issuance page (J1): checks the four fields, makes the registration, and talks to the server. A worker judges the
 * activation password and computes with it; the rules are the server's own, compiled for the browser.
 * The activation password goes from its field into the worker and nowhere else; its inputs have no name, so no form sends it.
 * Without scripts the page says that it needs them, and the button stays off.
 * @module
 */

const form = /** @type {HTMLFormElement} */ (document.querySelector('#issuance'));
const button = /** @type {HTMLButtonElement} */ (form.querySelector('button[type="submit"]'));
const progress = /** @type {HTMLElement} */ (form.querySelector('[data-progress]'));
const progressText = /** @type {HTMLElement} */ (form.querySelector('[data-progress-text]'));
const texts = form.dataset;
const length = { min: Number(texts.lengthMin), max: Number(texts.lengthMax) };
/** The message of each refusal of a chosen password, by its code. */
const PASSWORD_REFUSALS = {
  activation_password_length: texts.passwordLength,
  activation_password_not_digits: texts.passwordNotDigits,
  activation_password_trivial: texts.passwordTrivial,
};
const FIELDS = ['mail_address', 'mail_address_again', 'activation_password', 'activation_password_again'];

/** @typedef {{field?: string, code: string, message: string}} Problem */

/** What the server or the rules refused. */
class Refused extends Error {
  /** @param {Problem[]} problems */
  constructor(problems) {
    super('refused');
    this.problems = problems;
  }
}

const input = (/** @type {string} */ field) => /** @type {HTMLInputElement} */ (document.getElementById(field));

/** NFKC, and no white space: full-width digits are as good as others. */
function normalised(/** @type {string} */ typed) {
  return typed.normalize('NFKC').replace(/\s/gu, '');
}

/**
 * @param {Registration} registration judges the activation password
 * @returns {Promise<Problem[]>}
 */
async function problemsOfForm(registration) {
  /** @type {Problem[]} */
  const problems = [];
  const add = (/** @type {string} */ field, /** @type {string} */ code, /** @type {string | undefined} */ message) => {
    problems.push({ field, code, message: message ?? code });
  };
  const mail = normalised(input('mail_address').value);
  // Whether the address is one is the server's to judge; here only what no address lacks.
  if (!/^[^@]+@[^@]+$/.test(mail)) add('mail_address', 'mail_invalid', texts.mailInvalid);
  else if (mail !== normalised(input('mail_address_again').value)) add('mail_address_again', 'mail_mismatch', texts.mailMismatch);

  const password = normalised(input('activation_password').value);
  const own = { loginId: texts.loginId ?? '', mailAddress: mail };
  const { refusal } = await registration.ask({ op: 'judgePassword', password, length, own });
  if (refusal) add('activation_password', refusal, PASSWORD_REFUSALS[/** @type {keyof typeof PASSWORD_REFUSALS} */ (refusal)]);
  else if (password !== normalised(input('activation_password_again').value)) {
    add('activation_password_again', 'activation_password_mismatch', texts.passwordMismatch);
  }
  return problems;
}

/** Puts each refusal at its field and all of them into a summary above the heading, which takes the focus. */
function show(/** @type {Problem[]} */ problems) {
  document.getElementById('problems')?.remove();
  for (const field of FIELDS) {
    const own = problems.find((problem) => problem.field === field);
    const place = /** @type {HTMLElement} */ (document.getElementById(`${field}-problem`));
    place.textContent = own?.message ?? '';
    place.hidden = !own;
    place.closest('.field')?.classList.toggle('field-wrong', Boolean(own));
    if (own) input(field).setAttribute('aria-invalid', 'true');
    else input(field).removeAttribute('aria-invalid');
  }
  const prefix = texts.titleProblem ?? '';
  const title = document.title.startsWith(prefix) ? document.title.slice(prefix.length) : document.title;
  document.title = problems.length > 0 ? prefix + title : title;
  if (problems.length === 0) return;

  const summary = document.createElement('div');
  summary.id = 'problems';
  summary.className = 'problems';
  summary.tabIndex = -1;
  summary.setAttribute('role', 'alert');
  const heading = document.createElement('h2');
  heading.textContent = texts.problemsTitle ?? '';
  const list = document.createElement('ul');
  for (const problem of problems) {
    const item = document.createElement('li');
    if (problem.field && FIELDS.includes(problem.field)) {
      const link = document.createElement('a');
      link.href = `#${problem.field}`;
      link.textContent = problem.message;
      item.append(link);
    } else {
      item.textContent = problem.message;
    }
    list.append(item);
  }
  summary.append(heading, list);
  document.querySelector('main')?.prepend(summary);
  summary.focus();
}

/** Shows what is being done, or that nothing is. */
function busy(/** @type {string | null | undefined} */ text) {
  progress.hidden = !text;
  progressText.textContent = text ?? '';
  button.disabled = Boolean(text);
  form.setAttribute('aria-busy', String(Boolean(text)));
}

/**
 * One answer of the server.
 * @param {string | undefined} url
 * @param {object} body
 */
async function post(url, body) {
  const csrf = /** @type {HTMLInputElement} */ (form.elements.namedItem('csrf')).value;
  const answer = await fetch(url ?? '', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', 'x-csrf-token': csrf },
    body: JSON.stringify(body),
  });
  const content = await answer.json();
  if (!answer.ok) throw new Refused(content.errors);
  return content;
}

/** The worker could not do its part. */
class WorkerFault extends Error {}

/** What is computed with the activation password, in a worker of its own; its memory goes when the worker ends. */
class Registration {
  #worker = new Worker('/assets/js/activation-worker.js', { type: 'module' });
  #asked = 0;

  /**
   * @param {object} question one of the worker's tasks
   * @returns {Promise<any>} its value
   */
  ask(question) {
    this.#asked += 1;
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }) => (data.ok ? resolve(data.value) : reject(new WorkerFault(data.error)));
      this.#worker.onerror = () => reject(new WorkerFault('not_loaded'));
      this.#worker.postMessage({ id: this.#asked, ...question });
    });
  }

  end() {
    this.#worker.terminate();
  }
}

/** Unpadded base64url, as the JSON carries bytes. */
function toBase64Url(/** @type {Uint8Array} */ bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function fromBase64Url(/** @type {string} */ text) {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
}

/** @returns {Problem[]} what to show for a fault of any kind */
function problemsOf(/** @type {unknown} */ fault) {
  if (fault instanceof Refused && Array.isArray(fault.problems) && fault.problems.length > 0) return fault.problems;
  const message = fault instanceof WorkerFault && fault.message === 'out_of_memory' ? texts.outOfMemory : texts.unreachable;
  return [{ code: 'service_unavailable', message: message ?? '' }];
}

async function issue() {
  const registration = new Registration();
  try {
    busy(texts.stepPrepare);
    const problems = await problemsOfForm(registration);
    if (problems.length > 0) {
      busy(null);
      show(problems);
      return;
    }
    show([]);
    const password = normalised(input('activation_password').value);
    const started = await registration.ask({ op: 'registerStart', password });
    busy(texts.stepStart);
    const issuance = await post(texts.start, {
      mail_address: input('mail_address').value,
      mail_address_again: input('mail_address_again').value,
      registration_request: toBase64Url(started.request),
    });
    busy(texts.stepProtect);
    const finished = await registration.ask({
      op: 'registerFinish',
      password,
      state: started.state,
      response: fromBase64Url(issuance.registration_response),
    });
    busy(texts.stepFinish);
    const { next } = await post(texts.finish, {
      registration_record: toBase64Url(finished.record),
    });
    forgetPasswords();
    location.assign(next);
  } catch (fault) {
    forgetPasswords();
    busy(null);
    show(problemsOf(fault));
  } finally {
    registration.end();
  }
}

function forgetPasswords() {
  input('activation_password').value = '';
  input('activation_password_again').value = '';
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!button.disabled) void issue();
});
// A page from the history must not show what was typed, nor a button that waits for an answer that never comes.
addEventListener('pageshow', (event) => {
  if (!event.persisted) return;
  forgetPasswords();
  busy(null);
});

form.querySelector('[data-preparing]')?.remove();
button.disabled = false;
