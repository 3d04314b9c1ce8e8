#!/usr/bin/env bash
# The report in a real browser: the pages that the tests of spark-reports make, or those named, opened in headless Chromium at three widths
# and in two themes, with and without script. Fails on an error in the console, on any request that leaves the file, on what axe-core
# finds against accessibility, on a page that is wider than its window, and on a table that the keyboard does not sort.
#
# PICTURES=FOLDER keeps what it looked like: each view whole, its first screen, and the page as it prints. The README's picture is the
# first screen of a release build's run on a quiet machine:  PICTURES=shots ci/page.sh RUN/report.html
#
# Needs chromium, node and npm; puppeteer-core (which downloads no browser) and axe-core come from npm into a folder of their own.
# Exit codes: 0 fine, 1 something found, 77 cannot here.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/toolchain.sh
need node nodejs
need npm npm
# A browser without a font shows no text, and a page without text has no width.
if [ -z "${CHROMIUM:-}" ]; then
    for name in chromium chromium-browser google-chrome; do CHROMIUM=${CHROMIUM:-$(command -v "$name" || true)}; done
    if [ -z "$CHROMIUM" ]; then need chromium chromium fonts-dejavu-core && CHROMIUM=chromium; fi
fi
tools=${CARGO_TARGET_DIR:-target}/page
mkdir -p "$tools"
if [ ! -d "$tools/node_modules/axe-core" ] || [ ! -d "$tools/node_modules/puppeteer-core" ]; then
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tools" puppeteer-core@24 axe-core@4 >&2 ||
        cannot "npm did not get puppeteer-core and axe-core"
fi
if [ $# = 0 ]; then
    # With the features of the whole workspace, so that nothing is compiled a second time.
    cargo test --quiet --locked --workspace --test pages >&2
    set -- "${CARGO_TARGET_DIR:-target}"/tmp/page-*.html
fi
cp ci/page.mjs "$tools/page.mjs"
CHROMIUM=$CHROMIUM node "$tools/page.mjs" "$@"
