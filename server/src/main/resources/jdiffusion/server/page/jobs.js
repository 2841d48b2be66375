// Jobs: the one that is drawn with its previews, those that wait, and what came of them.
import { ApiError, get, parsed, post, remove } from './api.js';
import { $, el, say, seconds, several } from './dom.js';
import { clearErrors, request, showError, showSeed } from './form.js';
import { submitted } from './plan.js';

const STAGES = { encode_text: 'Reading the prompt', encode_image: 'Reading the picture', denoise: 'Drawing',
  decode: 'Developing' };
const MOST_FRAMES = 40;
const MOST_RECENT = 12;
const LOOK_MILLIS = 2500;

/** Jobs that have not ended, in the order in which they came. */
let open = [];
let followed = null;
let stream = null;
let timer = null;
/** Small pictures of the way: address and step. */
let frames = [];
let lastSaid = 0;
let drawn = () => { };
let actions = () => [];

/**
 * @param onDrawn   gets each picture that is there
 * @param ofPicture gives the buttons of a picture
 */
export function setupJobs(onDrawn, ofPicture) {
  drawn = onDrawn;
  actions = ofPicture;
  $('form').addEventListener('submit', event => {
    event.preventDefault();
    submit();
  });
  document.addEventListener('keydown', event => {
    if ((event.ctrlKey || event.metaKey) && event.key === 'Enter' && !$('draw').hidden
      && !document.querySelector('dialog[open]')) {
      event.preventDefault();
      submit();
    }
  });
  $('cancel').addEventListener('click', () => followed && cancel(followed));
  noise();
  resume().catch(e => {
    $('form-error').textContent = e.message;
  });
}

/** Colours at random, as a picture begins. */
function noise() {
  const canvas = $('noise');
  const c = canvas.getContext('2d');
  const image = c.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < image.data.length; i++) {
    image.data[i] = i % 4 === 3 ? 255 : 128 + 55 * (Math.random() + Math.random() + Math.random() - 1.5) * 2;
  }
  c.putImageData(image, 0, 0);
}

/** What a page before this one had asked for. */
async function resume() {
  const { jobs } = await get('jobs');
  open = jobs.filter(isOpen).reverse();
  for (const job of jobs.slice(0, MOST_RECENT).reverse()) {
    job.images.filter(image => image.whole).forEach(image => remember(picture(job, image)));
  }
  next();
}

const isOpen = job => job.status === 'queued' || job.status === 'generating';

/** What the gallery and the buttons know of a picture. */
export function picture(job, image) {
  const stored = image.stored?.match(/([^/]+)\.png$/)?.[1] ?? null;
  return { id: stored, url: image.stored || image.url, prompt: job.request.prompt, parameters: image.parameters,
    seed: image.seed };
}

async function submit() {
  submitted();
  clearErrors();
  const button = $('submit');
  button.disabled = true;
  try {
    const job = await post('jobs', request());
    open.push(job);
    say(open.length > 1 ? `Queued, ${several(open.length - 1, 'job')} before it.` : 'Drawing begins.');
    next();
  } catch (e) {
    showError(e);
  } finally {
    button.disabled = false;
  }
}

async function cancel(job) {
  try {
    await remove(`jobs/${job.id}`);
  } catch (e) {
    $('form-error').textContent = e.message;
  }
  if (job !== followed) {
    open = open.filter(one => one !== job);
    showQueue();
  }
}

/** Follows the first of the open jobs; one stream is enough, and browsers have only few at a time. */
function next() {
  showQueue();
  if (!followed && open.length) {
    follow(open[0]);
  }
  clearTimeout(timer);
  if (open.length) {
    timer = setTimeout(look, LOOK_MILLIS);
  }
}

/** Places in the queue change with other clients' jobs. */
async function look() {
  try {
    const { jobs } = await get('jobs');
    const byId = new Map(jobs.map(job => [job.id, job]));
    open = open.map(job => job === followed ? job : byId.get(job.id)).filter(job => job === followed || job && isOpen(job));
  } catch (e) {
    if (!(e instanceof ApiError)) {
      throw e;
    }
  }
  next();
}

function showQueue() {
  const waiting = open.filter(job => job !== followed);
  $('queue').hidden = !waiting.length;
  $('waiting').replaceChildren(...waiting.map(job => el('li', {},
    el('span', { class: 'number', text: job.queue_position ? `${job.queue_position}.` : '' }),
    el('span', { class: 'what', text: job.request.prompt || 'without a prompt' }),
    el('button', { type: 'button', class: 'quiet', text: 'Cancel', 'aria-label': `Cancel ${job.request.prompt}`,
      click: () => {
        $('submit').focus();
        cancel(job);
      } }))));
}

function follow(job) {
  followed = job;
  frames = [];
  $('running').hidden = false;
  $('film-box').hidden = true;
  $('film').replaceChildren();
  $('notes').replaceChildren();
  $('done').hidden = true;
  progress('Waiting', 0, '');
  showQueue();
  stream = new EventSource(job.events_url);
  const on = (name, work) => stream.addEventListener(name, event => {
    // A lost connection is an event of this name, too, without data; the browser connects again by itself.
    if (event.data !== undefined) {
      work(parsed(event.data));
    } else if (stream.readyState === EventSource.CLOSED) {
      end('The server does not know this job any more.');
    }
  });
  let image = 0;
  const counted = () => job.request.images > 1 ? ` picture ${image + 1} of ${job.request.images}` : '';
  on('queued', data => {
    job.queue_position = data.place;
    progress(data.place > 1 ? `Waiting, ${data.place - 1} before it` : 'Waiting', 0, '');
  });
  on('stage', data => {
    image = data.image;
    $('bar-label').textContent = STAGES[data.name] + counted();
    if (data.name === 'denoise') {
      frames = [];
      $('film').replaceChildren();
    }
  });
  on('step', data => {
    progress(`Drawing${counted()}, step ${data.i} of ${data.n}`, data.i / data.n,
      data.eta > 0 ? `${seconds(data.eta)} left` : '');
    if (data.eta > 6 && Date.now() - lastSaid > 8000) {
      lastSaid = Date.now();
      say(`Step ${data.i} of ${data.n}, ${seconds(data.eta)} left.`);
    }
  });
  on('preview', data => {
    const url = `data:image/png;base64,${data.png}`;
    show(url, `Preview of: ${job.request.prompt}`);
    film(url, `Step ${data.i} of ${data.n}`);
  });
  on('note', data => $('notes').append(el('li', { text: `Note: ${data.text}` })));
  on('image', data => {
    const one = picture(job, data);
    show(one.url, one.prompt);
    film(one.url, 'Finished');
    finished(one);
    remember(one);
    drawn(one);
    showSeed(data.seed);
    say('A picture is there.');
  });
  on('done', () => end());
  on('cancelled', () => end('', 'Cancelled.'));
  on('error', data => end(data.message));
}

function end(trouble = '', word = '') {
  stream.close();
  open = open.filter(job => job !== followed);
  followed = null;
  const hadFocus = document.activeElement === $('cancel');
  $('running').hidden = true;
  if (hadFocus) {
    $('submit').focus();
  }
  if (trouble) {
    $('form-error').textContent = trouble;
  }
  if (word) {
    say(word);
    $('notes').append(el('li', { text: word }));
  }
  next();
}

function progress(label, share, left) {
  $('bar-label').textContent = label;
  $('bar').value = share;
  $('left').textContent = left;
}

/** Shows a picture on the stage. */
function show(url, alt) {
  const image = $('picture');
  image.src = url;
  image.alt = alt;
  image.hidden = false;
  $('frame').classList.add('filled');
}

/** Puts a picture of the way on the film; pressed, it is shown large. */
function film(url, label) {
  frames.push(url);
  const button = el('button', { type: 'button', 'aria-pressed': 'false', title: label, click: () => {
    $('film').querySelectorAll('button').forEach(one => one.setAttribute('aria-pressed', String(one === button)));
    show(url, label);
  } }, el('img', { src: url, alt: label, load: () => {
    list.scrollLeft = list.scrollWidth;
  } }));
  const list = $('film');
  list.append(el('li', {}, button));
  if (list.children.length > MOST_FRAMES) {
    list.children[1].remove();
  }
  $('film-box').hidden = list.children.length < 2;
}

/** The picture with what can be done with it. */
function finished(one) {
  $('done').hidden = false;
  $('caption').textContent = one.prompt;
  $('actions').replaceChildren(...actions(one, () => {
    $('done').hidden = true;
    $('picture').hidden = true;
    $('frame').classList.remove('filled');
    $('film-box').hidden = true;
    $('submit').focus();
  }));
}

function remember(one) {
  $('recent').hidden = false;
  const list = $('recent-list');
  list.prepend(el('li', { 'data-url': one.url }, el('button', { type: 'button', click: () => {
    show(one.url, one.prompt);
    $('film-box').hidden = true;
    finished(one);
  } }, el('img', { src: one.url, alt: one.prompt || 'Picture without a prompt', loading: 'lazy' }))));
  while (list.children.length > MOST_RECENT) {
    list.lastChild.remove();
  }
}

/** A picture is gone. */
export function forget(url) {
  document.querySelectorAll('#recent-list [data-url]').forEach(item => item.dataset.url === url && item.remove());
  $('recent').hidden = !$('recent-list').children.length;
}
