// The pictures that the server has kept, by pages; without such a folder those of jobs that it still knows.
import { deletePicture, file, get, settingsOf } from './api.js';
import { $, bytes, el, say } from './dom.js';
import { addToComparison, dropFromComparison } from './compare.js';
import { startFrom, useSettings } from './inputs.js';
import { forget, picture } from './jobs.js';

const PAGE = 24;
const HIDDEN = ['prompt', 'negative_prompt'];

let items = [];
let next = null;
let loaded = false;

export function setupGallery() {
  $('more').addEventListener('click', async () => {
    const first = items.length;
    await page();
    $('pictures').children[first]?.querySelector('button').focus();
  });
  $('view-close').addEventListener('click', () => $('view').close());
}

/** The pictures so far, the newest first; the first page is loaded when it is needed. */
export async function pictures() {
  if (!loaded) {
    loaded = true;
    try {
      await page();
    } catch (e) {
      loaded = false;
      $('gallery-note').textContent = e.message;
    }
  }
  return items;
}

async function page() {
  const list = await get(`images?limit=${PAGE}${next ? `&before=${encodeURIComponent(next)}` : ''}`);
  if (list.kept) {
    next = list.next;
    items.push(...list.images.map(one => ({ ...one, prompt: one.prompt ?? '' })));
  } else {
    const { jobs } = await get('jobs');
    items = jobs.flatMap(job => job.images.map(image => picture(job, image)).reverse());
  }
  $('gallery-note').textContent = list.kept ? (items.length ? '' : 'No picture has been kept yet.')
    : 'This server keeps no pictures; these are gone an hour after they were drawn. Start it with -o FOLDER to keep them.';
  $('more').hidden = !next;
  show();
}

function show() {
  $('pictures').replaceChildren(...items.map(one => el('li', {},
    el('button', { type: 'button', click: () => view(one) },
      el('img', { src: one.url, alt: one.prompt || 'Picture without a prompt', loading: 'lazy' })),
    el('p', { text: one.prompt, 'aria-hidden': 'true' }))));
}

/** A picture has come. */
export function add(one) {
  if (loaded) {
    items.unshift(one);
    $('gallery-note').textContent = one.id ? '' : $('gallery-note').textContent;
    show();
  }
}

const settings = one => one.id ? get(`images/${one.id}/settings`) : file(one.url).then(settingsOf);

/** A picture with its settings, large. */
async function view(one) {
  const dialog = $('view');
  $('view-picture').src = one.url;
  $('view-picture').alt = one.prompt || 'Picture without a prompt';
  $('view-prompt').textContent = one.prompt;
  $('view-settings').replaceChildren();
  $('view-actions').replaceChildren(...actions(one, () => dialog.close()));
  dialog.showModal();
  $('view-close').focus();
  try {
    const found = await settings(one);
    const rows = Object.entries({ ...found.fields, ...found.more }).filter(([name]) => !HIDDEN.includes(name));
    if (found.fields.negative_prompt) {
      rows.unshift(['without', found.fields.negative_prompt]);
    }
    if (one.bytes) {
      rows.push(['file', bytes(one.bytes)]);
    }
    $('view-settings').replaceChildren(...rows.flatMap(([name, value]) => [
      el('dt', { text: name.replaceAll('_', ' ') }), el('dd', { text: String(value) })]));
  } catch (e) {
    $('view-settings').replaceChildren(el('dt', { text: 'settings' }), el('dd', { text: e.message }));
  }
}

/**
 * The buttons of a picture.
 *
 * @param close called when one of them leads away from it, or it is deleted
 */
export function actions(one, close = () => { }) {
  const button = (text, work, kind = '') => el('button', { type: 'button', class: kind, text, click: async () => {
    try {
      await work();
    } catch (e) {
      say(e.message);
      $('form-error').textContent = e.message;
    }
  } });
  const leave = () => {
    if ($('view').open) {
      $('view').close();
    }
  };
  return [
    button('Use these settings', async () => {
      const found = await settings(one);
      leave();
      useSettings(found);
    }),
    button('Start from this picture', async () => {
      const blob = await file(one.url);
      leave();
      await startFrom(blob);
    }),
    button('Compare', () => {
      addToComparison(one);
      leave();
      location.hash = '#compare';
    }),
    el('a', { href: one.url, download: `${one.id || 'picture'}.png`, class: 'button', text: 'Save' }),
    one.id ? button('Delete', async () => {
      if (await deletePicture(one.id)) {
        items = items.filter(item => item.id !== one.id);
        show();
        forget(one.url);
        dropFromComparison(one.url);
        say('Deleted.');
        close();
      }
    }, 'danger') : null,
  ].filter(Boolean);
}
