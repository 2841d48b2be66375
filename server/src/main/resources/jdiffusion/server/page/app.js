// The page: its views, and what joins its parts.
import { get, logout } from './api.js';
import { setupCompare, showCompare } from './compare.js';
import { $, say } from './dom.js';
import { setupForm } from './form.js';
import { actions, add, pictures, setupGallery } from './gallery.js';
import { inputPictures, setupInputs } from './inputs.js';
import { setupJobs } from './jobs.js';
import { setupMask } from './mask.js';
import { renewPlan } from './plan.js';
import { hasWebcam, setupWebcam, stopWebcam } from './webcam.js';

const VIEWS = ['draw', 'gallery', 'compare', 'webcam'];

/** Shows the view that the address names. */
async function route(event) {
  const named = location.hash.slice(1);
  const name = VIEWS.includes(named) && (named !== 'webcam' || hasWebcam()) ? named : 'draw';
  for (const view of VIEWS) {
    $(view).hidden = view !== name;
    const link = document.querySelector(`nav [href="#${view}"]`);
    view === name ? link.setAttribute('aria-current', 'page') : link.removeAttribute('aria-current');
  }
  document.title = name === 'draw' ? 'jdiffusion' : `${name[0].toUpperCase()}${name.slice(1)} – jdiffusion`;
  if (event && !$(name).contains(document.activeElement)) {
    $(name).focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  if (name !== 'webcam') {
    stopWebcam();
  }
  if (name === 'gallery' || name === 'compare') {
    const all = await pictures();
    if (name === 'compare') {
      showCompare(all);
    }
  }
}

async function start() {
  const options = await get('options');
  $('device').textContent = `${options.version} · ${options.device}`;
  $('logout').hidden = !localStorage.getItem('jdiffusion.login');
  $('logout').addEventListener('click', logout);
  setupForm(options, inputPictures, renewPlan);
  setupInputs(renewPlan);
  setupMask();
  setupGallery();
  setupCompare();
  setupWebcam(options);
  setupJobs(add, actions);
  addEventListener('hashchange', route);
  await route();
  renewPlan();
  document.documentElement.dataset.ready = 'true';
}

start().catch(e => {
  $('draw').hidden = false;
  $('form-error').textContent = e.message;
  say(e.message);
});
