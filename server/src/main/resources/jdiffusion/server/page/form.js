// The form: fields that the server names, their defaults, and what is asked for.
import { $, el } from './dom.js';
import { setupSize, setSize, sizeModel } from './size.js';

/** Fields with a place of their own in the form. */
const SPECIAL = ['model', 'prompt', 'negative_prompt', 'width', 'height', 'images', 'seed', 'random'];
/** Fields that errors name otherwise than the form. */
const NAMES = { size: 'width', n: 'images', loras: 'prompt', lora: 'prompt', skip_layers: 'skip_layers.layers' };
const OF_LEVELS = ['steps', 'scheduler', 'shift'];
const STORED = 'jdiffusion.form';

let options = null;
let model = null;
let changed = () => { };
let pictures = () => ({});

/**
 * Builds the form.
 *
 * @param ofPictures gives init, mask and control of a request
 */
export function setupForm(serverOptions, ofPictures, onChange) {
  options = serverOptions;
  pictures = ofPictures;
  changed = () => {
    store();
    onChange();
  };
  setupSize(options.limits, () => changed());
  for (const one of options.models) {
    $('model').append(el('option', { value: one.id, text: one.id }));
  }
  $('model').addEventListener('change', () => {
    setModel($('model').value);
    changed();
  });
  $('images').max = options.limits.images;
  setupLoras();
  $('control-group').hidden = !options.control_nets.length;
  buildGroups();
  $('form').addEventListener('input', event => {
    clearError(event.target.closest('[data-field]'));
    changed();
  });
  $('seed').addEventListener('input', () => seedKind($('seed').value ? 'keep' : 'random'));
  $('prompt').addEventListener('keydown', weigh);
  $('negative_prompt').addEventListener('keydown', weigh);
  $('defaults').addEventListener('click', () => {
    setModel(model.id);
    $('images').value = 1;
    $('seed').value = '';
    seedKind('random');
    changed();
  });
  setModel((options.models.find(one => one.usual) || options.models[0]).id);
  restore();
}

export const currentModel = () => model;

function setupLoras() {
  $('loras').hidden = !options.loras.length;
  for (const name of options.loras) {
    $('lora').append(el('option', { value: name, text: name }));
  }
  $('lora-add').addEventListener('click', () => {
    const weight = $('lora-weight').value || 1;
    const prompt = $('prompt');
    prompt.value = `${prompt.value.trimEnd()} <lora:${$('lora').value}:${weight}>`.trimStart();
    changed();
    prompt.focus();
  });
}

/** Ctrl and an arrow weigh the marked words, as in other programs: (words:1.1). */
function weigh(event) {
  const up = event.key === 'ArrowUp';
  const area = event.target;
  if (!event.ctrlKey || !up && event.key !== 'ArrowDown' || area.selectionStart === area.selectionEnd) {
    return;
  }
  event.preventDefault();
  const reading = input('weights');
  if (reading && 'weights' in model.defaults && !reading.value) {
    reading.value = 'a1111';
  }
  const marked = area.value.slice(area.selectionStart, area.selectionEnd);
  const [, words, weight] = marked.match(/^\((.*):([\d.]+)\)$/s) || [null, marked, 1];
  const next = Math.max(0, Math.round((Number(weight) + (up ? 0.1 : -0.1)) * 10) / 10);
  area.setRangeText(next === 1 ? words : `(${words}:${next})`, area.selectionStart, area.selectionEnd, 'select');
  changed();
}

/** Groups in the order of the server; each field stands in the one that it names. */
function buildGroups() {
  for (const group of options.groups) {
    const fields = options.fields.filter(field => field.group === group.name);
    const controls = fields.map(control);
    if (!fields.length) {
      continue;
    }
    if (group.name === 'sampling') {
      $('sampling').append(...controls);
    } else if (group.needs) {
      $(`${group.needs}-fields`).append(...controls);
    } else {
      $('groups').append(el('details', { 'data-group': group.name }, el('summary', { text: group.label }),
        el('div', {}, ...controls)));
    }
  }
}

/** The control of a field that the server names. */
const input = name => $(`field-${name}`);

function control(field) {
  const id = `field-${field.name}`;
  const help = field.help ? el('p', { class: 'hint', id: `${id}-help`, text: field.help }) : null;
  const more = { id, 'aria-describedby': help ? `${id}-help` : null };
  const box = el('div', { class: 'field', 'data-field': field.name });
  if (field.type === 'flag') {
    box.append(el('label', { class: 'pick' }, el('input', { type: 'checkbox', ...more }), field.label));
  } else {
    box.append(el('label', { for: id, text: field.label }));
    if (field.type === 'choice') {
      box.append(el('select', more, el('option', { value: '', text: 'usual' }),
        ...field.choices.map(choice => el('option', { value: choice, text: choice }))));
    } else if (field.type === 'text') {
      box.append(el('textarea', { rows: 1, ...more }));
    } else {
      const number = el('input', { type: 'number', min: field.min, max: field.max, step: field.step, ...more });
      const range = el('input', { type: 'range', 'data-of': field.name, step: field.step,
        'aria-label': `${field.label}, slider` });
      range.addEventListener('input', () => {
        number.value = range.value;
      });
      number.addEventListener('input', () => {
        range.value = number.value;
      });
      box.append(el('div', { class: 'row slide' }, range, number));
    }
  }
  box.append(...(help ? [help] : []));
  return box;
}

/** Sets the model with its defaults. */
function setModel(id) {
  model = options.models.find(one => one.id === id) || model;
  $('model').value = model.id;
  const fast = model.few_step ? ', a few-step model' : '';
  $('model-hint').textContent = `${model.label}${fast}${model.loaded ? '; in memory' : ''}`;
  for (const field of options.fields) {
    const has = field.name in model.defaults;
    document.querySelector(`[data-field="${field.name}"]`).hidden = !has;
    if (has) {
      range(field);
      set(field, model.defaults[field.name]);
    }
  }
  for (const details of document.querySelectorAll('[data-group]')) {
    details.hidden = !details.querySelector('.field:not([hidden])');
  }
  sizeModel(model);
  negativeHint();
}

function range(field) {
  const slider = document.querySelector(`[data-of="${field.name}"]`);
  if (slider) {
    const [least, most] = model.ranges[field.name] || [field.min, field.max];
    slider.min = Math.max(least, field.min);
    slider.max = Math.min(most, field.max);
    slider.hidden = model.defaults[field.name] === null;
  }
}

function set(field, value) {
  const element = input(field.name);
  if (field.type === 'flag') {
    element.checked = value === true;
  } else if (field.type === 'choice' && value && !field.choices.includes(value)) {
    element.value = '';
  } else {
    element.value = value ?? '';
    element.placeholder = value === null ? 'usual' : '';
  }
  const slider = document.querySelector(`[data-of="${field.name}"]`);
  if (slider && value !== null) {
    slider.value = value;
  }
}

/** What a field says; undefined where nothing, or what the model has anyway. */
function value(field) {
  const element = input(field.name);
  if (field.type === 'flag') {
    return element.checked === model.defaults[field.name] ? undefined : element.checked;
  }
  const text = element.value.trim();
  const usual = model.defaults[field.name];
  if (!text || text === String(usual ?? '')) {
    return undefined;
  }
  return field.type === 'integer' || field.type === 'number' ? Number(text) : text;
}

function negativeHint() {
  const guidance = Number(input('guidance')?.value ?? 0);
  $('negative-hint').textContent = guidance > 1 ? '' : 'Without guidance (1 or less) it changes nothing.';
}

const shownGroup = group => !group.needs || group.needs in pictures();

/** The fields of a job; without pictures it is what a plan asks for. */
export function request(withPictures = true) {
  const body = { model: model.id, prompt: $('prompt').value, width: number('width'), height: number('height'),
    images: number('images') };
  if ($('negative_prompt').value.trim()) {
    body.negative_prompt = $('negative_prompt').value;
  }
  if (seedKind() === 'keep' && $('seed').value.trim()) {
    body.seed = $('seed').value.trim();
  }
  const groups = options.groups.filter(shownGroup).map(group => group.name);
  for (const field of options.fields) {
    const given = field.name in model.defaults && groups.includes(field.group) ? value(field) : undefined;
    if (given !== undefined && (withPictures || !needs(field))) {
      put(body, field.name, given);
    }
  }
  if (body.sigmas) {
    // Levels by hand say all of that.
    OF_LEVELS.forEach(name => delete body[name]);
  }
  return withPictures ? withThose(body, pictures()) : body;
}

/** A name with a dot is a field of a field. */
function put(body, name, given) {
  const [outer, inner] = name.split('.');
  if (inner) {
    (body[outer] ??= {})[inner] = given;
  } else {
    body[outer] = given;
  }
}

/** What settings say of a field; undefined where nothing. Lists are shown with commas. */
function found(fields, name) {
  const [outer, inner] = name.split('.');
  const said = inner ? fields[outer]?.[inner] : fields[outer];
  return Array.isArray(said) ? said.join(', ') : said;
}

/** Adds pictures; that of a ControlNet joins its settings, which need its name in any case. */
function withThose(body, { control, ...others }) {
  if (control) {
    body.control = { model: input('control.model').value, ...body.control, ...control };
  }
  return Object.assign(body, others);
}

const needs = field => options.groups.find(group => group.name === field.group).needs;

const number = id => $(id).value === '' ? undefined : Number($(id).value);

/** Takes settings over; what they do not say is the model's default. Gives the names that have no place here. */
export function fill(fields) {
  setModel(fields.model || model.id);
  for (const name of ['prompt', 'negative_prompt']) {
    $(name).value = fields[name] ?? '';
  }
  if (fields.width && fields.height) {
    setSize(fields.width, fields.height);
  }
  if (fields.seed !== undefined) {
    $('seed').value = fields.seed;
    seedKind('keep');
  }
  for (const field of options.fields) {
    const said = found(fields, field.name);
    if (said !== undefined && field.name in model.defaults) {
      set(field, said);
    }
  }
  for (const details of document.querySelectorAll('[data-group]')) {
    details.open ||= options.fields.some(field => field.group === details.dataset.group
      && found(fields, field.name) !== undefined && field.name in model.defaults && value(field) !== undefined);
  }
  clearErrors();
  negativeHint();
  changed();
  return Object.keys(fields).filter(name => !SPECIAL.includes(name)
    && !options.fields.some(field => field.name.split('.')[0] === name && field.name in model.defaults));
}

/** The kind of seed that is chosen; sets it where one is given. */
export function seedKind(kind) {
  if (kind) {
    document.querySelector(`[name=seed-kind][value=${kind}]`).checked = true;
  }
  return document.querySelector('[name=seed-kind]:checked').value;
}

/** Shows the seed of a picture, and keeps it where that is chosen. */
export function showSeed(seed) {
  if (seedKind() === 'random') {
    $('seed').value = seed;
  }
}

function store() {
  negativeHint();
  const body = request(false);
  body.random = seedKind() === 'random';
  localStorage.setItem(STORED, JSON.stringify(body));
}

function restore() {
  try {
    const body = JSON.parse(localStorage.getItem(STORED));
    if (body && options.models.some(one => one.id === body.model)) {
      fill(body);
      $('images').value = body.images ?? 1;
      seedKind(body.random ? 'random' : 'keep');
    }
  } catch {
    localStorage.removeItem(STORED);
  }
}

/** Shows an error beside the field that it names, else above the button; without the focus it is not said aloud. */
export function showError(error, moveFocus = true) {
  const name = NAMES[error.field] || error.field;
  const box = name && document.querySelector(`[data-field="${name}"]`);
  if (!box || box.hidden || box.closest('[hidden]')) {
    $('form-error').textContent = error.message;
    return;
  }
  clearError(box);
  const control = box.querySelector('textarea, select, input:not([type=range], [type=radio])');
  const id = `${name}-error`;
  box.append(el('p', { class: 'error', id, role: moveFocus ? 'alert' : null, text: error.message }));
  control.setAttribute('aria-invalid', 'true');
  control.dataset.described = control.getAttribute('aria-describedby') || '';
  control.setAttribute('aria-describedby', `${control.dataset.described} ${id}`.trim());
  box.closest('details')?.setAttribute('open', '');
  if (moveFocus) {
    control.focus();
  }
}

function clearError(box) {
  $('form-error').textContent = '';
  const error = box?.querySelector('.error');
  if (error) {
    error.remove();
    const control = box.querySelector('[aria-invalid]');
    control.removeAttribute('aria-invalid');
    control.setAttribute('aria-describedby', control.dataset.described);
    if (!control.dataset.described) {
      control.removeAttribute('aria-describedby');
    }
  }
}

export function clearErrors() {
  $('form-error').textContent = '';
  document.querySelectorAll('#form [data-field]').forEach(clearError);
}

