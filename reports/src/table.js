for (const t of document.querySelectorAll('table')) {
  if (t.closest('.more') || t.rows.length < 4) continue;
  t.insertAdjacentHTML('beforebegin', '<p class=tools><input type=search placeholder=Filter aria-label="Filter these rows"><button>Copy as CSV</button>');
  const b = t.tBodies[0], h = t.tHead.rows[0], m = t.nextElementSibling, [f, c] = t.previousElementSibling.children,
    all = () => { if (m?.matches('.more')) b.append(...m.querySelectorAll('tbody tr')), m.remove(); },
    text = c => c.innerText.trim().replace(/\s+/g, ' '),
    size = s => (s = /^(-?[\d.]+(?:e-?\d+)?)\s?([nµmkMGTP]?)/.exec(s)) ? s[1] * 1e3 ** ('nµm kMGTP'.indexOf(s[2] || ' ') - 3) : NaN;
  [...h.cells].forEach((o, i, row) => {
    o.innerHTML = `<button>${o.innerHTML}</button>`;
    o.onclick = () => {
      all();
      const down = o.ariaSort == 'ascending', of = r => r.cells[i].textContent.trim();
      row.forEach(o => o.ariaSort = null);
      o.ariaSort = down ? 'descending' : 'ascending';
      b.append(...[...b.rows].sort((x, y) => (down ? -1 : 1) * (size(of(x)) - size(of(y)) || of(x).localeCompare(of(y), [], { numeric: true }))));
    };
  });
  f.oninput = () => { all(); for (const r of b.rows) r.hidden = !r.textContent.toLowerCase().includes(f.value.toLowerCase()); };
  c.onclick = () => { all(); navigator.clipboard.writeText([h, ...b.rows].filter(r => !r.hidden).map(r => [...r.cells]
    .map(d => '"' + text(d).replace(/^[=+@]/, "'$&").replace(/"/g, '""') + '"').join()).join('\n'))
    .then(() => c.textContent = 'Copied', () => c.textContent = 'Not allowed here'); };
}
