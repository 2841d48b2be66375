// How much memory the picture would take, asked for before it is drawn.
import { post } from './api.js';
import { $, bytes, calmly, el } from './dom.js';
import { clearErrors, request, showError } from './form.js';

let asked = null;
let changed = false;

/** Asks anew, when nothing has changed for a moment. */
export function renewPlan() {
  changed = true;
  soon();
}

/** What is said of a submission stays until something is changed: a plan is made without the pictures. */
export function submitted() {
  changed = false;
}

const soon = calmly(350, async () => {
  asked?.abort();
  asked = new AbortController();
  const body = request(false);
  if (!body.width || !body.height) {
    return;
  }
  try {
    const plan = await post('plan', body, asked.signal);
    renewErrors();
    show(plan);
  } catch (e) {
    if (e.name === 'AbortError') {
      return;
    }
    $('plan-words').textContent = '';
    $('plan-stages').replaceChildren();
    $('plan').hidden = true;
    renewErrors(e);
  }
});

function renewErrors(error) {
  if (changed) {
    clearErrors();
    if (error) {
      showError(error, false);
    }
  }
}

function show(plan) {
  $('plan').hidden = false;
  const { peak, mapped, stages } = plan.memory;
  const most = stages.find(stage => stage.peak === peak);
  const files = mapped ? `, and ${bytes(mapped)} of mapped files` : '';
  const waiting = plan.queue ? ` ${plan.queue === 1 ? 'One job waits' : `${plan.queue} jobs wait`} already.` : '';
  $('plan-words').textContent = `Takes ${bytes(peak)} of memory at most (${most.name})${files}.${waiting}`;
  $('plan-stages').replaceChildren(...stages.map(stage => el('tr', {}, el('th', { scope: 'row', text: stage.name }),
    el('td', { text: bytes(stage.peak) }), el('td', { text: stage.mapped ? bytes(stage.mapped) : '–' }))));
  for (const note of plan.notes) {
    $('plan-words').append(' ', el('span', { class: 'hint', text: `Note: ${note}.` }));
  }
}
