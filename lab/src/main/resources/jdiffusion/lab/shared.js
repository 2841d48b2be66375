/* Lanes and the banks that they go to, with one layout of the array. */
function grid(layout, title) {
  const [size, left, top] = [11, 34, 30];
  const picture = svg('svg', { width: left + 32 * size + 6, height: top + 32 * size + 20, role: 'img',
    'aria-label': `${title}: ${layout.conflicts} cycles lost` });
  picture.append(svg('text', { x: left, y: 12 }, `${title}: ${layout.conflicts} lost cycle${
    layout.conflicts === 1 ? '' : 's'}`));
  for (let i = 0; i < 32; i += 4) {
    picture.append(svg('text', { x: left + (i + 0.5) * size, y: top - 4, 'text-anchor': 'middle' }, i),
      svg('text', { x: left - 5, y: top + (i + 0.9) * size, 'text-anchor': 'end' }, i));
  }
  picture.append(svg('text', { x: left, y: top + 32 * size + 15 }, 'banks across, lanes down'));
  const together = layout.bytes <= 4 ? 32 : 128 / layout.bytes;
  const wide = Math.max(1, layout.bytes / 4);
  for (let lane = 0; lane < 32; lane++) {
    for (let bank = 0; bank < 32; bank++) {
      picture.append(svg('rect', { x: left + bank * size, y: top + lane * size, width: size - 1, height: size - 1,
        class: 'free' }));
    }
  }
  for (let from = 0; from < 32; from += together) {
    /* Distinct words by bank, in the order of the lanes: the first costs nothing. */
    const banks = Array.from({ length: 32 }, () => []);
    for (let lane = from; lane < from + together; lane++) {
      for (let i = 0; i < wide && layout.words[lane] >= 0; i++) {
        const word = layout.words[lane] + i;
        const words = banks[word % 32];
        if (!words.includes(word)) words.push(word);
        const rect = svg('rect', { x: left + word % 32 * size, y: top + lane * size, width: size - 1, height: size - 1,
          class: 'used', style: `--turn: ${words.indexOf(word)}` });
        rect.append(svg('title', {}, `lane ${lane}, bank ${word % 32}, word ${word}, turn ${words.indexOf(word) + 1}`));
        picture.append(rect);
      }
    }
    if (from) {
      picture.append(svg('line', { x1: left, x2: left + 32 * size, y1: top + from * size - 0.5, y2: top + from * size - 0.5,
        stroke: 'var(--ink)' }));
    }
  }
  return picture;
}

function sum(lines, key) {
  return lines.reduce((all, line) => all + line[key], 0);
}

function shared(kernel) {
  if (!kernel.metrics['shared-requests']) return;
  main.append(el('h3', { text: 'Banks of shared memory' }));
  const worst = kernel.worst;
  if (!worst) {
    main.append(el('p', { text: 'No request to shared memory met a bank conflict.' }));
    return;
  }
  main.append(el('p', { text: `The instruction that loses most to conflicts is in PTX line ${worst.line}${worst.chain < 0 ? '' : ` of ${
    chain(worst).map(words).join(', inlined at ')}`}: ${
    number(worst.conflicts)} cycles in ${number(worst.requests)} requests${worst.array ? ` to ${worst.array}` : ''}. Its`
    + ' worst request is below. A square is a word that a lane wants; those in one column come from the same bank, one'
    + ' after the other: the first turn is green, the later ones are the redder the longer they wait.'
    + ' Where lanes take 8 or 16 bytes, those between two lines are served together.' }),
  el('pre', { text: worst.text }));
  const box = el('div', { class: 'grids' }, grid(worst.now, 'now'));
  main.append(box);
  const list = el('ul');
  worst.remedies.forEach((remedy, i) => {
    const name = 'ABC'[i];
    box.append(grid(remedy, `way ${name}`));
    const rest = worst.others === 0 ? '' : ` The worst requests of the ${worst.others} other instruction${
      worst.others === 1 ? '' : 's'} that use${worst.others === 1 ? 's' : ''} this part of it: ${
      worst.othersConflicts} → ${remedy.others}.`;
    list.append(el('li', { text: `Way ${name}: ${remedy.text}. Lost cycles of this request: ${
      worst.now.conflicts} → ${remedy.conflicts}.${rest}` }));
  });
  main.append(worst.remedies.length ? list : el('p', { text: 'No padding of rows by 1 to 8 words, no XOR of columns'
    + ' with rows and no wider access would lessen this: perhaps the places depend on data, or the conflicts only move to another'
    + ' instruction. Another order of the work may help.' }));
}

/* Where lanes of a warp part, and with how many of them the instructions of a line run. */
function divergence(kernel) {
  const average = kernel.metrics['active-lanes'];
  main.append(el('h3', { text: 'Divergence' }));
  const parted = kernel.lines.filter(line => line.partings);
  main.append(el('p', { text: `On average ${average} of 32 lanes took part in an instruction`
    + ' (smsp__thread_inst_executed_per_inst_executed.ratio in ncu, of machine code); lanes that a guard such as @%p1'
    + ` switches off count as taking part. ${parted.length ? 'At these branches lanes of a warp parted, after which the'
      + ' warp runs the ways one after the other:' : 'No branch made lanes of a warp part.'}` }));
  if (!parted.length) return;
  const places = [...Map.groupBy(parted, where)].map(([place, lines]) => ({ place, lines,
    warps: sum(lines, 'warps'), lanes: sum(lines, 'lanes'), partings: sum(lines, 'partings') }));
  const table = el('table', {}, el('tr', {}, ...['line', 'executed', 'parted', 'lanes before'].map(text =>
    el('th', { text })), el('th', { class: 'word', text: data.files.length ? 'source and its branches' : 'branch' })));
  places.sort((a, b) => b.partings - a.partings).slice(0, 20).forEach(at => {
    const text = at.lines[0].chain < 0 ? [] : [textOf(chain(at.lines[0])[0]).trim()];
    table.append(el('tr', {}, el('td', { class: 'code', text: at.place }), el('td', { text: number(at.warps) }),
      el('td', { text: number(at.partings) }), el('td', { text: (at.lanes / at.warps).toFixed(1) }),
      el('td', { class: 'code', text: [...text, ...at.lines.slice(0, 4).map(line => line.text),
        ...at.lines.length > 4 ? [`and ${at.lines.length - 4} more`] : []].join('\n') })));
  });
  main.append(el('div', { class: 'scroll' }, table));
  if (places.length > 20) main.append(el('p', { text: `${places.length - 20} more places with fewer are left out.` }));
}

function barriers(kernel) {
  const all = kernel.lines.filter(line => line.openings);
  if (!all.length) return;
  const table = el('table', {}, el('tr', {}, ...['line', 'opened', 'evenness'].map(text => el('th', { text })),
    el('th', { class: 'word', text: data.files.length ? 'source and barrier' : 'barrier' })));
  all.forEach(line => table.append(el('tr', {}, el('td', { class: 'code', text: where(line) }),
    el('td', { text: number(line.openings) }),
    el('td', { text: line.slowest ? `${Math.round(100 * line.toBarrier / line.slowest)} %` : '' }),
    el('td', { class: 'code', text: line.chain < 0 ? line.text : `${textOf(chain(line)[0]).trim()}\n${line.text}` }))));
  main.append(el('h3', { text: 'Barriers' }), el('p', { text: 'How often each opened, and how evenly the warps had worked'
    + ' since they last met: 100 % where all had executed as many instructions, 25 % where one of four had done all. Who'
    + ' comes early waits (smsp__average_warps_issue_stalled_barrier_per_issue_active.ratio in ncu counts that time).' }),
  el('div', { class: 'scroll' }, table));
}
