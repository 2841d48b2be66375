// Pictures that the user gives: to start from, with a mask, or for the settings in them.
import { base64, settingsOf } from './api.js';
import { $, el, say } from './dom.js';
import { fill, showError } from './form.js';
import { paintMask } from './mask.js';
import { sizeLike } from './size.js';

/** What the server reads as it is; others are brought into PNG. */
const READ = ['image/png', 'image/jpeg'];

/** The picture to start from: its file in base64, an address to show it by, its sides; and the mask. */
let start = null;
/** The picture that a ControlNet reads: its file in base64, and an address to show it by. */
let control = null;
let changed = () => { };

export function setupInputs(onChange) {
  changed = onChange;
  $('init').addEventListener('change', () => chosen($('init'), startFrom));
  $('from').addEventListener('change', () => chosen($('from'), blob => offer(blob, true)));
  $('init-remove').addEventListener('click', () => {
    clearStart();
    $('init').focus();
  });
  $('mask-open').addEventListener('click', async () => {
    const mask = await paintMask(start);
    if (mask !== undefined && start) {
      start.mask = mask;
      showMask();
      changed();
    }
  });
  $('control').addEventListener('change', () => chosen($('control'), controlBy));
  $('control-remove').addEventListener('click', () => {
    clearControl();
    $('control').focus();
  });
  $('init-fields').addEventListener('change', event => event.target.id === 'field-outpaint' && growTo(event.target));
  document.addEventListener('paste', event => {
    const blob = [...event.clipboardData.files].find(isPicture);
    if (blob) {
      event.preventDefault();
      offer(blob);
    }
  });
  setupDrop();
}

const isPicture = file => file.type.startsWith('image/');

async function chosen(input, use) {
  const blob = input.files[0];
  input.value = '';
  if (blob) {
    await use(blob);
  }
}

function setupDrop() {
  let depth = 0;
  const carriesFile = event => event.dataTransfer?.types.includes('Files');
  const over = on => $('drop').classList.toggle('over', on);
  document.addEventListener('dragenter', event => {
    if (carriesFile(event)) {
      event.preventDefault();
      depth++;
      over(true);
    }
  });
  document.addEventListener('dragleave', event => {
    if (carriesFile(event) && --depth <= 0) {
      over(false);
    }
  });
  document.addEventListener('dragover', event => carriesFile(event) && event.preventDefault());
  document.addEventListener('drop', event => {
    depth = 0;
    over(false);
    if (carriesFile(event)) {
      event.preventDefault();
      const blob = [...event.dataTransfer.files].find(isPicture);
      if (blob) {
        offer(blob);
      }
    }
  });
}

/**
 * Says what settings a picture carries, and asks what to do with it.
 *
 * @param settingsOnly whether the user has said so already
 */
async function offer(blob, settingsOnly = false) {
  if (document.querySelector('dialog[open]')) {
    return;
  }
  let found = null;
  let trouble = '';
  try {
    found = await settingsOf(blob);
  } catch (e) {
    trouble = e.message;
  }
  if (settingsOnly) {
    if (found) {
      useSettings(found);
    } else {
      $('form-error').textContent = trouble;
    }
    return;
  }
  const url = URL.createObjectURL(blob);
  $('found-picture').src = url;
  $('found-words').textContent = found ? words(found) : `Its settings cannot be used: ${trouble}.`;
  $('found-notes').replaceChildren(...(found ? found.notes : []).map(note => el('li', { text: `Note: ${note}` })));
  $('found-settings').hidden = !found;
  const dialog = $('found');
  $('found-settings').onclick = () => {
    dialog.close();
    useSettings(found);
  };
  $('found-start').onclick = () => {
    dialog.close();
    startFrom(blob);
  };
  $('found-cancel').onclick = () => dialog.close();
  dialog.onclose = () => URL.revokeObjectURL(url);
  dialog.showModal();
  (found ? $('found-settings') : $('found-start')).focus();
}

function words(found) {
  const f = found.fields;
  const parts = [f.steps && `${f.steps} steps`, f.guidance !== undefined && `guidance ${f.guidance}`,
    f.width && `${f.width}×${f.height}`, f.sampler, f.seed !== undefined && `seed ${f.seed}`].filter(Boolean);
  return `Drawn with ${found.tool || 'a program that it does not name'}: “${f.prompt}”, ${parts.join(', ')}.`;
}

/** Fills the form with what was found, and goes there. */
export function useSettings(found) {
  const notes = [...found.notes, ...fill(found.fields).map(name =>
    `this form has no ${name.replaceAll('_', ' ')} for this model, so it is left out`)];
  location.hash = '#draw';
  say(['Settings taken over.', ...notes].join(' '));
  $('notes').replaceChildren(...notes.map(note => el('li', { text: `Note: ${note}` })));
  $('prompt').focus();
}

/** Makes a picture the one to start from. */
export async function startFrom(blob) {
  try {
    const bitmap = await createImageBitmap(blob);
    const file = READ.includes(blob.type) ? blob : await encoded(bitmap);
    const url = URL.createObjectURL(file);
    clearStart(false);
    start = { init: await base64(file), url, width: bitmap.width, height: bitmap.height, mask: null };
    bitmap.close();
  } catch {
    showError({ field: 'init', message: 'This file is no picture that the browser can read.' });
    return;
  }
  location.hash = '#draw';
  $('started').hidden = false;
  $('init-none').hidden = true;
  $('init-shown').src = start.url;
  $('init-size').textContent = `${start.width} × ${start.height}`;
  showMask();
  sizeLike(start.width, start.height);
  say('Picture to start from is set.');
  changed();
}

/** Makes a picture the one that a ControlNet reads. */
async function controlBy(blob) {
  try {
    const bitmap = await createImageBitmap(blob);
    const file = READ.includes(blob.type) ? blob : await encoded(bitmap);
    bitmap.close();
    clearControl();
    control = { image: await base64(file), url: URL.createObjectURL(file) };
  } catch {
    showError({ field: 'control', message: 'This file is no picture that the browser can read.' });
    return;
  }
  $('controlled').hidden = false;
  $('control-none').hidden = true;
  $('control-shown').src = control.url;
  say('Picture for the ControlNet is set.');
  changed();
}

function clearControl() {
  if (control) {
    URL.revokeObjectURL(control.url);
    control = null;
    changed();
  }
  $('controlled').hidden = true;
  $('control-none').hidden = false;
}

/** The size of the picture with what is to be drawn around it. */
function growTo(field) {
  const sides = field.value.split(',').map(side => Number(side.trim() || NaN));
  if (start && sides.length === 4 && sides.every(side => side >= 0)) {
    sizeLike(start.width + sides[0] + sides[2], start.height + sides[1] + sides[3]);
  }
}

function encoded(bitmap) {
  const canvas = el('canvas', { width: bitmap.width, height: bitmap.height });
  canvas.getContext('2d').drawImage(bitmap, 0, 0);
  return new Promise(resolve => canvas.toBlob(resolve, 'image/png'));
}

function clearStart(tell = true) {
  if (start) {
    URL.revokeObjectURL(start.url);
  }
  start = null;
  $('started').hidden = true;
  $('init-none').hidden = false;
  if (tell) {
    changed();
  }
}

function showMask() {
  $('mask-state').textContent = start.mask ? 'Only what the mask covers is drawn anew.' : 'All of it is redrawn.';
  $('mask-open').textContent = start.mask ? 'Change the mask' : 'Paint a mask';
  $('mask-fields').hidden = !start.mask;
}

/** The pictures of a job. */
export function inputPictures() {
  return { ...start && { init: start.init }, ...start?.mask && { mask: start.mask.png },
    ...control && { control: { image: control.image } } };
}
