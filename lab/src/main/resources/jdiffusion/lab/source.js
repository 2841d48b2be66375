/* Where a line of PTX is from: the place itself, then where that was inlined, and so on; as [file, line]. */
function chain(line) {
  return line.chain < 0 ? [] : data.chains[line.chain];
}

function textOf([file, line]) {
  return data.files[file].text[line - 1];
}

/* A file by the end of its path that no other file has. */
function nameOf(file) {
  const parts = data.files[file].name.split('/');
  for (let n = 1; n < parts.length; n++) {
    const end = parts.slice(-n).join('/');
    if (data.files.every((other, i) => i === file || !`/${other.name}`.endsWith(`/${end}`))) return end;
  }
  return data.files[file].name;
}

function words([file, line]) {
  return `${nameOf(file)}:${line}`;
}

/* In words, for tables of lines of PTX. */
function where(line) {
  return line.chain < 0 ? `PTX ${line.line}` : words(chain(line)[0]);
}

/* The sources with what their lines cost, and the PTX below them. */
function listing(kernel) {
  /* Lines without cost that are shown around one with cost. */
  const FAR = 3;
  const HOTTEST = 8;
  const lines = kernel.lines.filter(line => line.warps);
  const total = Math.max(1, lines.reduce((all, line) => all + cost(line), 0));
  const percent = part => part ? part < total / 1000 ? '< 0.1 %' : `${(100 * part / total).toFixed(1)} %` : '';
  const costs = some => some.reduce((all, line) => all + cost(line), 0);
  const most = Math.max(1, ...lines.map(cost));
  const numbers = (of, label) => [el('td', { text: label }),
    el('td', { text: of.length ? number(sum(of, 'warps')) : '' }),
    el('td', { text: of.length ? (sum(of, 'lanes') / sum(of, 'warps')).toFixed(1) : '' }),
    el('td', { text: sum(of, 'ideal') ? (sum(of, 'sectors') / sum(of, 'ideal')).toFixed(2) : '' }),
    el('td', { text: sum(of, 'shared') ? number(sum(of, 'conflicts')) : '' })];
  const heat = share => `background: rgba(var(--heat), ${(0.55 * share).toFixed(3)})`;
  const ptx = line => el('tr', { class: 'ptx', style: heat(cost(line) / most) }, ...numbers([line], line.line),
    ...data.files.length ? [share(cost(line)), share(0)] : [],
    el('td', { class: 'code', text: chain(line).length > 1
      ? `${line.text}\n    inlined at ${chain(line).slice(1).map(words).join(', ')}` : line.text }));
  const share = (part, style = '') => el('td', { class: 'share', style, text: percent(part) });
  const heading = text => el('tr', {}, ...['line', 'warps', 'lanes', 'sectors / ideal', 'conflicts',
    ...data.files.length ? ['own cost', 'with inlined'] : []].map(one => el('th', { text: one })),
  el('th', { class: 'word', text }));
  const cells = data.files.length ? 8 : 6;

  main.append(el('h3', { text: 'Source' }), el('p', { text: 'The darker, the more cycles of issue and memory: a cycle'
    + ' for each instruction of a warp, one more for each sector and each bank conflict. ' + (data.files.length
    ? 'A line opens to its PTX, and to what was inlined there; the cost of that counts as its own in the line that it'
      + ' comes from.' : 'Compiled with -lineinfo, the lines of the source stand here.') }));
  if (!data.files.length) {
    main.append(el('div', { class: 'scroll' }, el('table', {}, heading('PTX'), ...lines.map(ptx))));
    return;
  }

  /* By file and line: PTX that is its own, and PTX that was inlined there with the place that it came from. */
  const files = new Map();
  const at = ([file, line]) => {
    if (!files.has(file)) files.set(file, new Map());
    const places = files.get(file);
    if (!places.has(line)) places.set(line, { own: [], inlined: new Map() });
    return places.get(line);
  };
  const nowhere = [];
  for (const line of lines) {
    const places = chain(line);
    if (!places.length) {
      nowhere.push(line);
      continue;
    }
    at(places[0]).own.push(line);
    /* A line that calls itself, or is in the chain twice, counts once. */
    const seen = new Set([words(places[0])]);
    for (let i = 1; i < places.length; i++) {
      if (seen.has(words(places[i]))) continue;
      seen.add(words(places[i]));
      const inlined = at(places[i]).inlined;
      const from = words(places[i - 1]);
      if (!inlined.has(from)) inlined.set(from, { place: places[i - 1], lines: [] });
      inlined.get(from).lines.push(line);
    }
  }
  const largest = Math.max(1, ...[...files.values()].flatMap(places => [...places.values()].map(one =>
    costs(one.own))));
  const withInlined = one => [...one.inlined.values()].reduce((all, from) => all + costs(from.lines), costs(one.own));
  const ownOf = file => [...files.get(file).values()].reduce((all, one) => all + costs(one.own), 0);
  const reach = file => Math.max(...[...files.get(file).values()].map(withInlined));
  const id = ([file, line]) => `${kernel.name}/${nameOf(file)}:${line}`;

  const rows = (file, line) => {
    const one = files.get(file).get(line);
    const text = data.files[file].text[line - 1];
    if (!one) return [el('tr', {}, ...numbers([], line), share(0), share(0), el('td', { class: 'code', text }))];
    const all = withInlined(one);
    const row = el('tr', { class: 'line', id: id([file, line]), tabindex: 0, style: heat(costs(one.own) / largest) },
      ...numbers(one.own, line), share(costs(one.own)),
      all > costs(one.own) ? share(all, heat(all / total)) : share(0), el('td', { class: 'code', text }));
    let below = null;
    const toggle = () => {
      if (below === null) {
        const inlined = [...one.inlined.values()].sort((a, b) => costs(b.lines) - costs(a.lines)).map(from =>
          el('tr', { class: 'inlined' }, ...numbers([], ''), share(0), share(costs(from.lines)),
            el('td', { class: 'code' }, 'inlined ', el('a', { href: `#${id(from.place)}`, text: words(from.place) }),
              ` ${textOf(from.place).trim()}`)));
        below = [...inlined, ...one.own.map(ptx)];
        row.after(...below);
      } else {
        below.forEach(each => { each.hidden = !each.hidden; });
      }
    };
    row.addEventListener('click', toggle);
    row.addEventListener('keydown', event => event.key === 'Enter' && toggle());
    return [row];
  };
  const hottest = [...files].flatMap(([file, places]) => [...places].map(([line, one]) => ({ place: [file, line],
    part: costs(one.own) }))).sort((a, b) => b.part - a.part).slice(0, HOTTEST).filter(one => one.part);
  main.append(el('table', {}, el('tr', {}, el('th', { text: 'own cost' }), el('th', { class: 'word', text: 'line' }),
    el('th', { class: 'word', text: 'the most costly lines' })), ...hottest.map(one => el('tr', {}, share(one.part),
    el('td', { class: 'code' }, el('a', { href: `#${id(one.place)}`, text: words(one.place) })),
    el('td', { class: 'code', text: textOf(one.place).trim() })))));

  /* The file of the kernel itself first: all else was inlined into it. */
  const order = [...files.keys()].sort((a, b) => reach(b) - reach(a) || ownOf(b) - ownOf(a));
  for (const file of order) {
    const used = [...files.get(file).keys()].sort((a, b) => a - b);
    const table = el('table', {}, heading('source, and below it its PTX'));
    let shown = 0;
    for (const next of used) {
      const near = Math.max(1, next - FAR, shown + 1);
      const from = !shown || near - shown > FAR ? near : shown + 1;
      const skipped = from - shown - 1;
      if (shown && skipped) table.append(el('tr', { class: 'gap' }, el('td', { colspan: cells, class: 'word',
        text: `${skipped} line${skipped === 1 ? '' : 's'} without cost` })));
      for (let line = from; line <= next; line++) table.append(...rows(file, line));
      const after = used.find(other => other > next);
      shown = Math.min(next + FAR, after ? after - 1 : Infinity, data.files[file].text.length);
      for (let line = next + 1; line <= shown; line++) table.append(...rows(file, line));
    }
    main.append(el('h4', { text: `${nameOf(file)}: ${percent(ownOf(file)) || '0 %'} of the cost` }),
      el('div', { class: 'scroll' }, table));
  }
  if (nowhere.length) {
    main.append(el('h4', { text: `Of no line of these files: ${percent(costs(nowhere))} of the cost` }),
      el('div', { class: 'scroll' }, el('table', {}, heading('PTX'), ...nowhere.map(ptx))));
  }
}
