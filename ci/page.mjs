// The browser's side of ci/page.sh: opens each page in every way and says what is wrong with it.
import { readFileSync, mkdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { createRequire } from 'node:module';
import puppeteer from 'puppeteer-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const pictures = process.env.PICTURES;
if (pictures) mkdirSync(pictures, { recursive: true });
const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
let wrong = 0;
const complain = (page, what) => { wrong += 1; console.log(`${page}: ${what}`); };

for (const file of process.argv.slice(2)) {
  const name = basename(file, '.html'), url = 'file://' + resolve(file);
  for (const theme of ['light', 'dark']) for (const width of [1280, 768, 390]) for (const script of width == 390 ? [true, false] : [true]) {
    const view = `${name} ${theme} ${width}${script ? '' : ' without script'}`;
    const page = await browser.newPage();
    // The page's own policy must hold; what is put in afterwards to look at it is not the page's.
    page.on('console', m => ['error', 'warn'].includes(m.type()) && complain(view, `console: ${m.text()}`));
    page.on('pageerror', e => complain(view, `error: ${e.message}`));
    page.on('request', r => r.url() != url && complain(view, `asks for ${r.url()}`));
    await page.setJavaScriptEnabled(script);
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
    await page.setViewport({ width, height: 900 });
    await page.goto(url);
    if (pictures) await page.screenshot({ path: `${pictures}/${view.replaceAll(' ', '-')}.png`, fullPage: true });
    await page.setJavaScriptEnabled(true);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) complain(view, `${wide} pixels wider than its window`);
    if (name.endsWith('many')) { await page.close(); continue; }
    await page.evaluate(() => document.querySelectorAll('details').forEach(d => { d.open = true; }));
    await page.evaluate(axe);
    const found = await page.evaluate(async () => (await axe.run()).violations
      .map(v => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.target.join(' ')).join('; ')} (${v.nodes.length})`));
    found.forEach(v => complain(view, `axe: ${v}`));
    await page.close();
  }
  // The script does what it is for: the first table that has tools is sorted, filtered, and is whole again.
  const page = await browser.newPage();
  await page.goto(url);
  const used = await page.evaluate(() => {
    const tools = document.querySelector('.tools');
    if (!tools) return 'no table with tools';
    const table = tools.nextElementSibling, rows = table.tBodies[0].rows.length, more = table.nextElementSibling;
    const folded = more && more.matches('.more') ? more.querySelectorAll('tbody tr').length : 0;
    table.tHead.rows[0].cells[0].firstChild.click();
    const sorted = [...table.tBodies[0].rows].map(r => r.cells[0].innerText.trim());
    if (sorted.length != rows + folded) return `${sorted.length} rows after sorting, ${rows} and ${folded} folded before`;
    if (table.tHead.rows[0].cells[0].ariaSort != 'ascending') return 'a sorted column does not say so';
    const find = tools.firstChild;
    find.value = 'no row says this';
    find.dispatchEvent(new Event('input'));
    if ([...table.tBodies[0].rows].some(r => r.getClientRects().length)) return 'what is filtered away is still shown';
    return '';
  });
  if (used && !name.includes('half')) complain(name, `the script: ${used}`);
  if (pictures) await page.pdf({ path: `${pictures}/${name}.pdf`, preferCSSPageSize: true }).catch(e => complain(name, e.message));
  await page.close();
}
await browser.close();
console.log(wrong ? `${wrong} found` : 'nothing found');
process.exit(wrong ? 1 : 0);
