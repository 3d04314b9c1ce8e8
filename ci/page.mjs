// The browser's side of ci/page.sh: opens each page in every way and says what is wrong with it.
import { readFileSync, mkdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { createRequire } from 'node:module';
import puppeteer from 'puppeteer-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const pictures = process.env.PICTURES;
if (pictures) mkdirSync(pictures, { recursive: true });
const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
let wrong = 0, views = 0;
const complain = (view, what) => { wrong += 1; console.log(`${view}: ${what}`); };

// A page of `url` that complains of whatever its script says and of every request but for itself.
async function opened(url, view, { width = 1280, theme = 'light', script = true } = {}) {
  const page = await browser.newPage();
  page.on('console', m => ['error', 'warn'].includes(m.type()) && complain(view, `console: ${m.text()}`));
  page.on('pageerror', e => complain(view, `error: ${e.message}`));
  page.on('request', r => r.url() != url && complain(view, `asks for ${r.url()}`));
  await page.setJavaScriptEnabled(script);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
  await page.setViewport({ width, height: 900 });
  await page.goto(url);
  views += 1;
  return page;
}

// What axe-core finds on it, all folds open.
async function violations(page) {
  await page.evaluate(() => document.querySelectorAll('details').forEach(d => { d.open = true; }));
  await page.evaluate(axe);
  return page.evaluate(async () => (await axe.run()).violations
    .map(v => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.target.join(' ')).join('; ')} (${v.nodes.length})`));
}

// The keyboard and the script: from the top by Tab to the first table's filter, its first column sorted by Enter, a filter typed.
async function used(page) {
  const at = () => page.evaluate(() => document.activeElement.matches('.tools input'));
  if (!await page.$('.tools')) return 'no table with tools';
  for (let steps = 0; !await at(); steps += 1) {
    if (steps > 120) return 'Tab does not come to the first table';
    await page.keyboard.press('Tab');
  }
  if (!await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle != 'none')) return 'the focus is not to be seen';
  // Tables in closed folds are passed by.
  await page.evaluate(() => { document.activeElement.closest('.tools').nextElementSibling.id = 'used'; });
  const rows = () => page.evaluate(() => [...document.querySelector('#used').tBodies[0].rows]
    .filter(r => r.getClientRects().length).map(r => r.cells[0].innerText.trim()));
  const folded = await page.$eval('#used', t => t.nextElementSibling?.matches('.more') ? t.nextElementSibling.querySelectorAll('tbody tr').length : 0);
  const before = await rows();
  await page.focus('#used th button');
  await page.keyboard.press('Enter');
  const sorted = await rows();
  if (sorted.length != before.length + folded) return `${sorted.length} rows after sorting, ${before.length} and ${folded} folded before`;
  if (await page.$eval('#used th', h => h.ariaSort) != 'ascending') return 'a sorted column does not say so';
  await page.keyboard.press('Enter');
  if ((await rows()).join() == sorted.join() && new Set(sorted).size > 1) return 'sorted again the other way it is the same';
  await page.evaluate(() => document.querySelector('#used').previousElementSibling.firstChild.focus());
  await page.keyboard.type('no row says this');
  if ((await rows()).length) return 'what is filtered away is still shown';
  return '';
}

for (const file of process.argv.slice(2)) {
  const name = basename(file, '.html'), url = 'file://' + resolve(file), many = name.endsWith('many');
  for (const theme of ['light', 'dark']) for (const width of [1280, 768, 390]) for (const script of width == 390 ? [true, false] : [true]) {
    const view = `${name} ${theme} ${width}${script ? '' : ' without script'}`;
    const page = await opened(url, view, { width, theme, script });
    const picture = (what, all) => page.screenshot({ path: `${pictures}/${view.replaceAll(' ', '-')}${what}.png`, fullPage: all });
    if (pictures) { await picture('', false); if (!many) await picture('-whole', true); }
    await page.setJavaScriptEnabled(true);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) {
      const who = await page.evaluate(() => [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
        .slice(-1).map(e => `${e.tagName.toLowerCase()}.${e.className} in ${e.closest('section')?.id}: ${e.textContent.trim().slice(0, 60)}`)[0]);
      complain(view, `${wide} pixels wider than its window: ${who}`);
    }
    // Thousands of rows say nothing new of accessibility, and axe-core would look at each.
    if (!many) (await violations(page)).forEach(found => complain(view, `axe: ${found}`));
    await page.close();
  }
  const page = await opened(url, name);
  if (pictures && !many) await page.pdf({ path: `${pictures}/${name}.pdf`, preferCSSPageSize: true });
  const found = await used(page);
  // A run cut short and a site of two machines have no table that is long enough.
  if (found && !/half|site/.test(name)) complain(name, `the script: ${found}`);
  await page.close();
}
await browser.close();
console.log(`${views} views of ${process.argv.length - 2} pages: ${wrong ? `${wrong} found` : 'nothing found'}`);
process.exit(wrong ? 1 : 0);
