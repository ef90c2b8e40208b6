/**
 * A box that chooses every user who may be chosen. Without scripts each box is ticked by hand.
 * @module
 */

const form = /** @type {HTMLFormElement | null} */ (document.querySelector('[data-select-all]'));
const cell = form?.querySelector('[data-select-all-cell]');
const boxes = [.../** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll('input[name="user"]:not(:disabled)'))];

if (form && cell && boxes.length > 1) {
  const label = document.createElement('label');
  label.className = 'select-all';
  const all = document.createElement('input');
  all.type = 'checkbox';
  label.append(all, document.createTextNode(form.dataset.selectAll ?? ''));
  cell.replaceChildren(label);

  const show = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  };
  all.addEventListener('change', () => {
    for (const box of boxes) box.checked = all.checked;
  });
  for (const box of boxes) box.addEventListener('change', show);
  // A page that comes back from the history keeps its ticks.
  addEventListener('pageshow', show);
  show();
}
