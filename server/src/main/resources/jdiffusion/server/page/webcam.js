// The camera's picture, redrawn by a model of few steps as fast as that goes. Of what the camera sees in the meantime,
// only the newest frame is drawn.
import { ApiError, file, post, remove } from './api.js';
import { $, el, say } from './dom.js';

let options = null;
let camera = null;
let job = null;
let shown = '';

const models = () => options.models.filter(model => model.few_step);

export function setupWebcam(serverOptions) {
  options = serverOptions;
  document.querySelector('nav [href="#webcam"]').hidden = !models().length;
  for (const model of models()) {
    $('webcam-model').append(el('option', { value: model.id, text: model.id }));
  }
  $('webcam-model').addEventListener('change', ofModel);
  $('webcam-strength').addEventListener('input', () => {
    $('webcam-strength-shown').textContent = $('webcam-strength').value;
  });
  $('webcam-form').addEventListener('submit', event => {
    event.preventDefault();
    camera ? stopWebcam() : start();
  });
  if (models().length) {
    ofModel();
  }
}

/** Whether there is a model for it. */
export const hasWebcam = () => models().length > 0;

const model = () => models().find(one => one.id === $('webcam-model').value);

function ofModel() {
  $('webcam-hint').textContent = `${model().label} redraws what the camera sees, in few steps, on this server. No`
    + ' picture is kept.';
  $('webcam-steps').value = Math.max(2, Math.min(model().steps, 4));
}

async function start() {
  $('webcam-error').textContent = '';
  if (!navigator.mediaDevices) {
    trouble('Browsers give the camera only to pages at localhost or over HTTPS; see the documentation for a proxy.');
    return;
  }
  try {
    camera = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1024 }, height: { ideal: 1024 } } });
  } catch (e) {
    const why = { NotFoundError: 'There is no camera.', NotAllowedError: 'The camera was not allowed to this page.',
      NotReadableError: 'Another program has the camera.' };
    trouble(why[e.name] || `The camera cannot be used: ${e.message}`);
    return;
  }
  const video = $('webcam-video');
  video.srcObject = camera;
  await video.play();
  $('webcam-start').textContent = 'Stop';
  say('The camera is on.');
  loop(camera);
}

function trouble(message) {
  $('webcam-error').textContent = message;
}

/** Lets go of the camera, and of the job. */
export function stopWebcam() {
  if (!camera) {
    return;
  }
  camera.getTracks().forEach(track => track.stop());
  camera = null;
  $('webcam-video').srcObject = null;
  $('webcam-start').textContent = 'Start';
  $('webcam-rate').textContent = '';
  if (job) {
    remove(`jobs/${job}`).catch(() => { });
  }
  say('The camera is off.');
}

async function loop(mine) {
  const seed = Math.floor(Math.random() * 2 ** 32);
  try {
    while (camera === mine) {
      const begun = performance.now();
      const blob = await redrawn(frame(), seed);
      if (camera !== mine) {
        break;
      }
      show(blob);
      const time = (performance.now() - begun) / 1000;
      $('webcam-rate').textContent = time < 1 ? `${(1 / time).toFixed(1)} a second` : `${time.toFixed(1)} s each`;
    }
  } catch (e) {
    if (camera === mine) {
      stopWebcam();
      trouble(e.message);
    }
  }
}

/** The middle of what the camera sees now, in the model's size, as a JPEG file in base64. */
function frame() {
  const video = $('webcam-video');
  const { width, height } = model();
  const canvas = el('canvas', { width, height });
  const scale = Math.max(width / video.videoWidth, height / video.videoHeight);
  const [w, h] = [video.videoWidth * scale, video.videoHeight * scale];
  canvas.getContext('2d').drawImage(video, (width - w) / 2, (height - h) / 2, w, h);
  const url = canvas.toDataURL('image/jpeg', 0.9);
  return url.slice(url.indexOf(',') + 1);
}

async function redrawn(init, seed) {
  const steps = Number($('webcam-steps').value) || 1;
  // At least one evaluation is left of the steps.
  const strength = Math.min(1, Math.max(Number($('webcam-strength').value), 1 / steps));
  const posted = await post('jobs', { model: model().id, prompt: $('webcam-prompt').value, width: model().width,
    height: model().height, steps, strength, init, seed, keep: false, cancel_on_disconnect: true });
  job = posted.id;
  const url = await ended(posted);
  job = null;
  return file(url);
}

/** The address of a job's picture, when it is there. */
function ended(posted) {
  return new Promise((resolve, reject) => {
    const stream = new EventSource(`${posted.events_url}?preview=false`);
    let url = null;
    const close = work => {
      stream.close();
      work();
    };
    stream.addEventListener('image', event => {
      url = JSON.parse(event.data).url;
    });
    stream.addEventListener('done', () => close(() => resolve(url)));
    stream.addEventListener('cancelled', () => close(() => reject(new ApiError('The picture was cancelled.', 0))));
    stream.addEventListener('error', event => {
      if (event.data !== undefined || stream.readyState === EventSource.CLOSED) {
        close(() => reject(new ApiError(event.data ? JSON.parse(event.data).message : 'The server does not answer.', 0)));
      }
    });
  });
}

function show(blob) {
  const image = $('webcam-picture');
  URL.revokeObjectURL(shown);
  shown = URL.createObjectURL(blob);
  image.src = shown;
  image.alt = $('webcam-prompt').value || 'The camera’s picture, redrawn';
  image.hidden = false;
}
