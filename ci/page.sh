#!/usr/bin/env bash
# The report in a real browser: the pages that the tests of spark-reports make, or those named, opened in headless Chromium at three widths
# and in two themes, with and without script. Fails on an error in the console, on any request that leaves the file, on what axe-core
# finds against accessibility, and on a page that is wider than its window. Pictures go to the folder that $PICTURES names, if it does.
#
# Needs chromium, node and npm; puppeteer-core (which downloads no browser) and axe-core come from npm into a folder of their own.
# Exit codes: 0 fine, 1 something found, 77 cannot here.
set -euo pipefail
cd "$(dirname "$0")/.."
chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "cannot here: $tool is missing (Debian or Ubuntu: apt-get install nodejs npm)"; exit 77; }
done
[ -n "$chromium" ] || { echo "cannot here: no chromium (Debian or Ubuntu: apt-get install chromium)"; exit 77; }
target=${CARGO_TARGET_DIR:-target}
tools=$target/page
mkdir -p "$tools"
if [ ! -d "$tools/node_modules/axe-core" ] || [ ! -d "$tools/node_modules/puppeteer-core" ]; then
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tools" puppeteer-core@24 axe-core@4 >&2
fi
if [ $# = 0 ]; then
    cargo test --quiet --locked -p spark-reports --test pages >&2
    set -- "$target"/tmp/page-*.html
fi
cp ci/page.mjs "$tools/page.mjs"
CHROMIUM=$chromium node "$tools/page.mjs" "$@"
