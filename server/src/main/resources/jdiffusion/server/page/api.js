// The server's own interface.
import { $, ask } from './dom.js';

const ROOT = '/api/v1';

/** An answer that says what is wrong, maybe with which field. */
export class ApiError extends Error {
  constructor(message, status, field) {
    super(message);
    this.status = status;
    this.field = field;
  }
}

async function send(method, path, body, signal) {
  const headers = { 'X-Jdiffusion-Page': '1' };
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json';
  }
  let response;
  try {
    response = await fetch(path.startsWith('/') ? path : `${ROOT}/${path}`,
      { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (e) {
    if (e.name === 'AbortError') {
      throw e;
    }
    throw new ApiError('The server does not answer. Is it still running?', 0);
  }
  if (response.status === 401 && path !== 'login') {
    await login();
    return send(method, path, body, signal);
  }
  if (response.status === 204) {
    return null;
  }
  const json = parsed(await response.text());
  if (!response.ok) {
    const error = json && json.error || {};
    throw new ApiError(error.message || `The server answered ${response.status}.`, response.status, error.field);
  }
  return json;
}

/** JSON; seeds of 64 bits, which JavaScript's numbers would round, become texts. The server takes those, too. */
export function parsed(text) {
  try {
    return JSON.parse(text.replace(/"seed":(\d+)/g, '"seed":"$1"'));
  } catch {
    return null;
  }
}

export const get = (path, signal) => send('GET', path, undefined, signal);
export const post = (path, body, signal) => send('POST', path, body, signal);
export const remove = path => send('DELETE', path);

let waiting = null;

/** Asks for a key until the server takes one. All requests that need one wait for the same dialog. */
function login() {
  waiting ??= new Promise(resolve => {
    const dialog = $('login');
    $('login-form').onsubmit = async event => {
      event.preventDefault();
      $('login-error').textContent = '';
      try {
        await post('login', { key: $('key').value });
        $('key').value = '';
        waiting = null;
        dialog.close();
        $('logout').hidden = false;
        localStorage.setItem('jdiffusion.login', '1');
        resolve();
      } catch (e) {
        $('login-error').textContent = e.message;
        $('key').focus();
      }
    };
    dialog.oncancel = event => event.preventDefault();
    dialog.showModal();
    $('key').focus();
  });
  return waiting;
}

export async function logout() {
  await remove('login');
  localStorage.removeItem('jdiffusion.login');
  location.reload();
}

/** The bytes of a file in base64. */
export function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1));
    reader.onerror = () => reject(new ApiError('The file cannot be read.', 0));
    reader.readAsDataURL(blob);
  });
}

/** The settings in a file. */
export const settingsOf = async blob => post('settings', { picture: await base64(blob) });

/** A picture of the server as a file. */
export async function file(url) {
  const response = await fetch(url, { headers: { 'X-Jdiffusion-Page': '1' } });
  if (!response.ok) {
    throw new ApiError('The picture is not there any more.', response.status);
  }
  return response.blob();
}

/** Deletes a picture of the history where the user is sure. */
export async function deletePicture(id) {
  if (!await ask($('confirm'), $('confirm-yes'), $('confirm-no'))) {
    return false;
  }
  await remove(`images/${id}`);
  return true;
}
