// Small helpers for the page's elements.

/** An element by its id. */
export const $ = id => document.getElementById(id);

/** A new element; properties are attributes, except functions, which listen, and `text` and the like. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') {
      element.addEventListener(name, value);
    } else if (name === 'text') {
      element.textContent = value;
    } else if (value === true) {
      element.setAttribute(name, '');
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

/** Says something to screen readers, when they have time. */
export function say(text) {
  $('live').textContent = text;
}

/** 1.5 GiB. */
export function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; count >= 1024 && unit < units.length - 1; unit++) {
    count /= 1024;
  }
  return `${count < 10 && unit > 0 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

/** 2 min 5 s. */
export function seconds(count) {
  if (count < 10) {
    return `${Math.max(0, count).toFixed(1)} s`;
  }
  const whole = Math.round(count);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

/** 1 picture, 2 pictures. */
export const several = (count, what) => `${count} ${what}${count === 1 ? '' : 's'}`;

/** Runs the last of several calls when no other has come for a while. */
export function calmly(millis, work) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, millis);
  };
}

/** Asks with a dialog; true when the button `yes` closed it. */
export function ask(dialog, yes, no) {
  return new Promise(resolve => {
    const end = answer => () => {
      dialog.removeEventListener('close', closed);
      yes.onclick = no.onclick = null;
      dialog.close();
      resolve(answer);
    };
    const closed = end(false);
    yes.onclick = end(true);
    no.onclick = closed;
    dialog.addEventListener('close', closed);
    dialog.showModal();
    no.focus();
  });
}
