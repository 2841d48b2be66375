// Painting a mask over the picture to start from, by mouse, touch, pen or keyboard.
import { $, el } from './dom.js';

/** Longer sides are halved: the server brings masks to the size of the picture anyway. */
const LONGEST = 1536;
const MOST_UNDO = 40;

let picture = null;
/** White where to draw, transparent elsewhere. */
let mask = null;
let past = [];
let future = [];
let at = { x: 0, y: 0 };
let shown = true;

const view = () => $('mask-canvas');
const context = canvas => canvas.getContext('2d', { willReadFrequently: canvas === mask });
const tool = () => document.querySelector('[name=tool]:checked').value;
/** Radius in pixels of the mask. */
const radius = () => Math.max(1, $('brush').value / 200 * Math.min(mask.width, mask.height));

/**
 * Lets the user paint.
 *
 * @param start the picture with the mask so far
 * @returns the mask; null for none, undefined where it stays as it was
 */
export async function paintMask(start) {
  picture = new Image();
  picture.src = start.url;
  await picture.decode();
  const scale = Math.min(1, LONGEST / Math.max(start.width, start.height));
  const [width, height] = [Math.round(start.width * scale), Math.round(start.height * scale)];
  mask = el('canvas', { width, height });
  if (start.mask) {
    context(mask).drawImage(start.mask.canvas, 0, 0);
  }
  past = [];
  future = [];
  at = { x: width / 2, y: height / 2 };
  const dialog = $('mask');
  return new Promise(resolve => {
    let result;
    const close = () => dialog.close();
    $('mask-use').onclick = () => {
      result = covered() ? { canvas: mask, png: png() } : null;
      close();
    };
    $('mask-cancel').onclick = close;
    dialog.onclose = () => resolve(result);
    dialog.showModal();
    // Shown large, small pictures too.
    const room = Math.min(innerWidth * 0.9 / width, innerHeight * 0.6 / height);
    const [shownWidth, shownHeight] = [Math.floor(width * room), Math.floor(height * room)];
    view().style.width = `${shownWidth}px`;
    view().style.height = `${shownHeight}px`;
    view().width = shownWidth * devicePixelRatio;
    view().height = shownHeight * devicePixelRatio;
    draw();
    buttons();
    tell('');
    view().focus();
  });
}

export function setupMask() {
  const canvas = view();
  let stroke = null;
  canvas.addEventListener('pointerdown', event => {
    event.preventDefault();
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    remember();
    stroke = place(event);
    line(stroke, stroke);
  });
  canvas.addEventListener('pointermove', event => {
    at = place(event);
    shown = true;
    if (stroke) {
      line(stroke, at);
      stroke = at;
    } else {
      draw();
    }
  });
  for (const name of ['pointerup', 'pointercancel']) {
    canvas.addEventListener(name, () => {
      if (stroke) {
        stroke = null;
        tell();
      }
    });
  }
  canvas.addEventListener('pointerleave', () => {
    shown = document.activeElement === canvas;
    draw();
  });
  canvas.addEventListener('keydown', key);
  canvas.addEventListener('focus', () => {
    shown = true;
    draw();
  });
  $('brush').addEventListener('input', () => {
    brushShown();
    draw();
  });
  $('mask-invert').addEventListener('click', () => {
    remember();
    invert();
    draw();
    tell('inverted');
  });
  $('mask-clear').addEventListener('click', () => {
    remember();
    context(mask).clearRect(0, 0, mask.width, mask.height);
    draw();
    tell('cleared');
  });
  $('mask-undo').addEventListener('click', () => step(past, future, 'undone'));
  $('mask-redo').addEventListener('click', () => step(future, past, 'done again'));
  $('mask').addEventListener('keydown', event => {
    if ((event.ctrlKey || event.metaKey) && ['z', 'y'].includes(event.key.toLowerCase())) {
      event.preventDefault();
      const again = event.key.toLowerCase() === 'y' || event.shiftKey;
      again ? step(future, past, 'done again') : step(past, future, 'undone');
    }
  });
  brushShown();
}

function brushShown() {
  $('brush-shown').textContent = `${$('brush').value} %`;
}

/** A place of the mask under the pointer. */
function place(event) {
  const box = view().getBoundingClientRect();
  return { x: (event.clientX - box.left) / box.width * mask.width,
    y: (event.clientY - box.top) / box.height * mask.height };
}

function key(event) {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const move = moves[event.key];
  if (move) {
    const far = Math.max(1, mask.width / (event.shiftKey ? 8 : 48));
    at = { x: Math.min(mask.width, Math.max(0, at.x + move[0] * far)),
      y: Math.min(mask.height, Math.max(0, at.y + move[1] * far)) };
    shown = true;
    draw();
    tell('');
  } else if (event.key === ' ' || event.key === 'Enter') {
    remember();
    line(at, at);
    tell();
  } else if (event.key === '[' || event.key === ']') {
    const brush = $('brush');
    brush.value = Number(brush.value) + (event.key === '[' ? -3 : 3);
    brushShown();
    draw();
    tell('');
  } else {
    return;
  }
  event.preventDefault();
}

function line(from, to) {
  const c = context(mask);
  c.globalCompositeOperation = tool() === 'erase' ? 'destination-out' : 'source-over';
  c.strokeStyle = '#fff';
  c.lineWidth = 2 * radius();
  c.lineCap = 'round';
  c.beginPath();
  c.moveTo(from.x, from.y);
  c.lineTo(to.x, to.y + 0.01);
  c.stroke();
  c.globalCompositeOperation = 'source-over';
  draw();
}

function invert() {
  const c = context(mask);
  c.globalCompositeOperation = 'xor';
  c.fillStyle = '#fff';
  c.fillRect(0, 0, mask.width, mask.height);
  c.globalCompositeOperation = 'source-over';
}

const copy = canvas => {
  const other = el('canvas', { width: canvas.width, height: canvas.height });
  context(other).drawImage(canvas, 0, 0);
  return other;
};

function remember() {
  past.push(copy(mask));
  if (past.length > MOST_UNDO) {
    past.shift();
  }
  future = [];
  buttons();
}

function step(from, to, what) {
  const other = from.pop();
  if (other) {
    to.push(copy(mask));
    context(mask).clearRect(0, 0, mask.width, mask.height);
    context(mask).drawImage(other, 0, 0);
    draw();
    tell(what);
  }
  buttons();
}

function buttons() {
  $('mask-undo').disabled = !past.length;
  $('mask-redo').disabled = !future.length;
}

/** The picture, the mask in the page's light over it, and the brush. */
function draw() {
  const canvas = view();
  const c = context(canvas);
  c.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const tint = copy(mask);
  const t = context(tint);
  t.globalCompositeOperation = 'source-in';
  t.fillStyle = '#ff7a1a';
  t.fillRect(0, 0, tint.width, tint.height);
  c.globalAlpha = 0.62;
  c.drawImage(tint, 0, 0, canvas.width, canvas.height);
  c.globalAlpha = 1;
  if (shown) {
    const scale = canvas.width / mask.width;
    for (const [colour, width] of [['#000', 4], ['#fff', 2]]) {
      c.strokeStyle = colour;
      c.lineWidth = width * devicePixelRatio;
      c.beginPath();
      c.arc(at.x * scale, at.y * scale, radius() * scale, 0, 2 * Math.PI);
      c.stroke();
    }
  }
}

/** The share of the picture that is covered. */
function covered() {
  const pixels = context(mask).getImageData(0, 0, mask.width, mask.height).data;
  let sum = 0;
  for (let i = 3; i < pixels.length; i += 4) {
    sum += pixels[i] > 127 ? 1 : 0;
  }
  return sum / (mask.width * mask.height);
}

function tell(what) {
  const place = `brush at ${Math.round(at.x / mask.width * 100)} % across, ${Math.round(at.y / mask.height * 100)} % down`;
  const size = `${$('brush').value} % wide`;
  const parts = what === '' ? [place, size] : [what, `${Math.round(covered() * 100)} % covered`, place];
  $('mask-live').textContent = parts.filter(Boolean).join(', ');
}

/** White on black in base64. */
function png() {
  const flat = el('canvas', { width: mask.width, height: mask.height });
  const c = context(flat);
  c.fillStyle = '#000';
  c.fillRect(0, 0, flat.width, flat.height);
  c.drawImage(mask, 0, 0);
  const url = flat.toDataURL('image/png');
  return url.slice(url.indexOf(',') + 1);
}
