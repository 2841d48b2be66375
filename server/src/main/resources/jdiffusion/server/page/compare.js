// Two pictures in one place, with a slider between them and the settings in which they differ.
import { file, get, settingsOf } from './api.js';
import { $, el } from './dom.js';

/** At most two; the older goes when a third is chosen. */
let chosen = [];

export function setupCompare() {
  $('compare-at').addEventListener('input', () => {
    $('slider').querySelector('.pair').style.setProperty('--at', `${$('compare-at').value}%`);
  });
}

export function addToComparison(one) {
  chosen = [...chosen.filter(other => other.url !== one.url), one].slice(-2);
}

/** A picture is gone. */
export function dropFromComparison(url) {
  chosen = chosen.filter(other => other.url !== url);
}

/** Shows the choice among some pictures. */
export function showCompare(pictures) {
  $('choices').replaceChildren(...pictures.map(one => el('li', {}, el('button', { type: 'button',
    'aria-pressed': String(chosen.some(other => other.url === one.url)), click: event => {
      if (chosen.some(other => other.url === one.url)) {
        chosen = chosen.filter(other => other.url !== one.url);
      } else {
        addToComparison(one);
      }
      const place = [...$('choices').children].indexOf(event.currentTarget.parentNode);
      showCompare(pictures);
      $('choices').children[place].firstChild.focus();
    } }, el('img', { src: one.url, alt: one.prompt || 'Picture without a prompt', loading: 'lazy' })))));
  const both = chosen.length === 2;
  $('slider').hidden = !both;
  $('compare-hint').textContent = both ? 'Drag over the pictures, or use the arrow keys.'
    : chosen.length ? 'One is chosen; choose another below.' : 'Choose two pictures below.';
  if (both) {
    const [a, b] = chosen;
    for (const [image, one, side] of [[$('compare-a'), a, 'Left'], [$('compare-b'), b, 'Right']]) {
      image.src = one.url;
      image.alt = `${side}: ${one.prompt}`;
    }
    differences(a, b);
  }
}

async function differences(a, b) {
  const rows = $('differences').querySelector('tbody');
  rows.replaceChildren();
  const [left, right] = await Promise.all([a, b].map(one => (one.id ? get(`images/${one.id}/settings`)
    : file(one.url).then(settingsOf)).then(found => ({ ...found.fields, ...found.more })).catch(() => ({}))));
  if (chosen[0] !== a || chosen[1] !== b) {
    return;
  }
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])]
    .filter(name => String(left[name]) !== String(right[name]));
  const text = value => value === undefined ? '–' : String(value);
  rows.replaceChildren(...names.map(name => el('tr', {}, el('th', { scope: 'row', text: name.replaceAll('_', ' ') }),
    el('td', { text: text(left[name]) }), el('td', { text: text(right[name]) }))));
  $('differences').hidden = !names.length;
}
