// The size by shape and megapixels, and by sides.
import { $, el } from './dom.js';

const SHAPES = [['1:1', 1, 1], ['5:4', 5, 4], ['3:2', 3, 2], ['16:9', 16, 9], ['4:5', 4, 5], ['2:3', 2, 3],
  ['9:16', 9, 16]];
const MEGA = 1 << 20;

let model = null;
let limits = null;
let free = 1;
let changed = () => { };

export function setupSize(serverLimits, onChange) {
  limits = serverLimits;
  changed = onChange;
  for (const [label, x, y] of SHAPES) {
    $('aspects').append(shape(label, x, y));
  }
  $('aspects').append(shape('free', 0, 0));
  $('aspects').addEventListener('change', () => {
    if (!ratio()) {
      $('width').focus();
      return;
    }
    apply();
  });
  $('megapixels').addEventListener('input', apply);
  for (const side of ['width', 'height']) {
    $(side).addEventListener('input', () => {
      follow();
      changed();
    });
  }
}

function shape(label, x, y) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 32 32');
  svg.setAttribute('aria-hidden', 'true');
  const rect = document.createElementNS(svg.namespaceURI, 'rect');
  const scale = 26 / Math.max(x, y, 1);
  const [w, h] = x ? [x * scale, y * scale] : [22, 22];
  for (const [name, value] of Object.entries({ x: 16 - w / 2, y: 16 - h / 2, width: w, height: h, rx: 2 })) {
    rect.setAttribute(name, value);
  }
  if (!x) {
    rect.setAttribute('stroke-dasharray', '3 3');
  }
  svg.append(rect);
  return el('label', {}, el('input', { type: 'radio', name: 'aspect', value: label }), svg, el('span', { text: label }));
}

/** The chosen shape, width by height; 0 where the sides are typed. */
function ratio() {
  const chosen = document.querySelector('[name=aspect]:checked')?.value;
  const [, x, y] = SHAPES.find(([label]) => label === chosen) || [0, 0, 1];
  return x / y;
}

const choose = label => {
  document.querySelector(`[name=aspect][value="${label}"]`).checked = true;
};

/** Other defaults, other multiples. */
export function sizeModel(newModel) {
  model = newModel;
  const area = model.width * model.height;
  const most = Math.min(limits.pixels, model.largest_side ** 2);
  const slider = $('megapixels');
  slider.max = Math.min(2, Math.floor(Math.log2(most / area) * 4) / 4);
  slider.min = Math.max(-4, Math.ceil(Math.log2((4 * model.size_multiple) ** 2 / area) * 4) / 4);
  for (const side of ['width', 'height']) {
    $(side).step = model.size_multiple;
    $(side).min = model.size_multiple;
    $(side).max = Math.min(model.largest_side, 65536);
  }
  setSize(model.width, model.height);
}

export function setSize(width, height) {
  $('width').value = width;
  $('height').value = height;
  follow();
}

/** The size of the shape of a picture, at the model's usual number of pixels. */
export function sizeLike(width, height) {
  free = width / height;
  const [w, h] = sides(free, model.width * model.height);
  setSize(w, h);
  changed();
}

/** Whole patches of about so many pixels. */
function sides(shapeRatio, area) {
  const whole = value => Math.max(1, Math.round(value / model.size_multiple)) * model.size_multiple;
  const most = Math.floor(model.largest_side / model.size_multiple) * model.size_multiple;
  let w = Math.min(most, whole(Math.sqrt(area * shapeRatio)));
  let h = Math.min(most, whole(Math.sqrt(area / shapeRatio)));
  while (w * h > limits.pixels) {
    w > h ? w -= model.size_multiple : h -= model.size_multiple;
  }
  return [w, h];
}

/** The sides follow shape and megapixels. */
function apply() {
  const [w, h] = sides(ratio() || free, model.width * model.height * 2 ** $('megapixels').value);
  $('width').value = w;
  $('height').value = h;
  tell();
  changed();
}

/** Shape and megapixels follow the sides. */
function follow() {
  const w = Number($('width').value);
  const h = Number($('height').value);
  if (w > 0 && h > 0) {
    free = w / h;
    $('megapixels').value = Math.log2(w * h / (model.width * model.height));
    const fitting = SHAPES.find(([, x, y]) => {
      const [sw, sh] = sides(x / y, w * h);
      return sw === w && sh === h || Math.abs(w / h / (x / y) - 1) < 0.005;
    });
    choose(fitting ? fitting[0] : 'free');
  }
  tell();
}

const megapixels = area => {
  const value = area / MEGA;
  return `${value < 0.1 ? value.toFixed(3) : value.toFixed(2)} MP`;
};

function tell() {
  const area = $('width').value * $('height').value;
  const trained = model.width * model.height;
  $('megapixels-shown').textContent = megapixels(area);
  $('megapixels').setAttribute('aria-valuetext', `${megapixels(area)}, ${$('width').value} by ${$('height').value}`);
  const times = area / trained;
  const far = times > 1.6 ? ` This is ${times.toFixed(1)} times that; motifs may repeat.`
    : times < 0.4 ? ` This is ${Math.round(times * 100)} % of that; pictures get coarse.` : '';
  $('size-hint').textContent = `Trained for ${model.width} × ${model.height}, multiples of ${model.size_multiple}.${far}`;
}
