#!/usr/bin/env bash
# The tests of the workspace on this machine, but for those in the documentation: nextest where it is installed (a process a test), cargo test where it is not.
set -euo pipefail
cd "$(dirname "$0")/.."
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace
else
    echo "cargo-nextest is not installed, so that cargo test runs the tests: a process that dies takes its neighbours along" >&2
    cargo test --locked --workspace --lib --bins --tests
fi
