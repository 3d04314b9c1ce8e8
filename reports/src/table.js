for (const t of document.querySelectorAll('table')) {
  if (t.closest('.more') || t.rows.length < 4) continue;
  const b = t.tBodies[0], m = t.nextElementSibling, make = (n, o) => Object.assign(document.createElement(n), o),
    text = c => c.innerText.trim().replace(/\s+/g, ' '),
    all = () => { if (m && m.matches('.more')) { b.append(...m.querySelectorAll('tbody tr')); m.remove(); } },
    size = s => { const f = /^(-?[\d.]+(?:e-?\d+)?)\s?([nµmkMGTP]?)/.exec(s);
      return f ? f[1] * ({ n: 1e-9, µ: 1e-6, m: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15 }[f[2]] || 1) : NaN; };
  [...t.tHead.rows[0].cells].forEach((h, i, row) => {
    const s = make('button', { type: 'button', textContent: h.textContent });
    h.replaceChildren(s);
    s.onclick = () => {
      all();
      const down = h.getAttribute('aria-sort') == 'ascending', of = r => text(r.cells[i]);
      row.forEach(o => o.removeAttribute('aria-sort'));
      h.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      b.append(...[...b.rows].map(r => [of(r), r]).sort(([x], [y]) =>
        (down ? -1 : 1) * (size(x) - size(y) || x.localeCompare(y, undefined, { numeric: true }))).map(p => p[1]));
    };
  });
  const f = make('input', { type: 'search', placeholder: 'Filter', ariaLabel: 'Filter these rows' }),
    c = make('button', { type: 'button', textContent: 'Copy as CSV' }), p = make('p', { className: 'tools' });
  f.oninput = () => { all(); for (const r of b.rows) r.hidden = !r.textContent.toLowerCase().includes(f.value.toLowerCase()); };
  c.onclick = () => { all(); navigator.clipboard.writeText([t.tHead.rows[0], ...b.rows].filter(r => !r.hidden).map(r => [...r.cells]
    .map(d => '"' + text(d).replace(/^[=+@]/, "'$&").replace(/"/g, '""') + '"').join(',')).join('\n'))
    .then(() => c.textContent = 'Copied', () => c.textContent = 'Not allowed here'); };
  p.append(f, c);
  t.before(p);
}
