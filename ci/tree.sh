#!/usr/bin/env bash
# What must not stand in the tree: unfinished code, tests that never run, paths of somebody's machine, files that hold more than one idea.
set -euo pipefail
cd "$(dirname "$0")/.."
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || {
    echo "this is no git checkout, so that the tracked files are not known" >&2
    exit 77
}
failed=0

# refuse WHAT PATTERN PATHSPEC...: fails when a tracked line matches the extended regular expression.
refuse() {
    local what=$1 pattern=$2 found status=0
    shift 2
    found=$(git grep -nIE -e "$pattern" -- "$@") || status=$?
    case $status in
        0) printf '%s:\n%s\n' "$what" "$found" | cut -c1-200 >&2 && failed=1 ;;
        1) ;;
        *) exit "$status" ;;
    esac
}

refuse "unfinished code" '(^|[^a-z_])(todo|unimplemented)!' '*.rs'
refuse "a test that is never run and does not say why" '#\[ignore\]' '*.rs'
refuse "a path of one machine" '(^|[^A-Za-z0-9_.~*-])/(home|Users|root|work)/[A-Za-z0-9]' . ':!ci/tree.sh'
refuse "a merge left half done" '^(<{7}|>{7}|\|{7}) ' .
registries=$(git grep -hE '^source = ' -- '*Cargo.lock' | sort -u | grep -v 'registry+https://github.com/rust-lang/crates.io-index"' || true)
if [ -n "$registries" ]; then
    printf 'Cargo.lock names a source other than crates.io:\n%s\n' "$registries" >&2
    failed=1
fi

while IFS= read -r file; do
    [ -f "$file" ] || continue
    lines=$(wc -l <"$file")
    if [ "$lines" -gt 400 ]; then
        echo "$file: $lines lines; a file holds one idea, split it below 400" >&2
        failed=1
    fi
    if ! head -n 1 "$file" | grep -qE '^(//! .|#!\[)'; then
        echo "$file:1: the first line is not a //! sentence that says what the file is" >&2
        failed=1
    fi
done < <(git ls-files '*.rs')

while IFS= read -r file; do
    [ -f "$file" ] || continue
    if [ "$(wc -l <"$file")" -gt 400 ]; then
        echo "$file: a file holds one idea, split it below 400 lines" >&2
        failed=1
    fi
    if ! head -n 1 "$file" | grep -qE '^// .'; then
        echo "$file:1: the first line is not a // sentence that says what the file is" >&2
        failed=1
    fi
    if git grep -nE '#include *<' -- "$file"; then
        echo "$file: it includes only our own .cuh: NVRTC has no other headers" >&2
        failed=1
    fi
done < <(git ls-files '*.cu' '*.cuh' 'kernels/doubles/*.h')

while IFS= read -r script; do
    bash -n "$script" || failed=1
done < <(git ls-files 'ci/*.sh' ci/no-cc .ci/run)

# Python is on every machine that GitHub's own tools run on; a reader of YAML beside it is not.
if python3 -c 'import yaml' 2>/dev/null; then
    python3 - $(git ls-files '*.yml') <<'EOF_PYTHON' || failed=1
import sys, yaml
for path in sys.argv[1:]:
    try:
        document = yaml.safe_load(open(path, encoding="utf-8"))
    except yaml.YAMLError as error:
        sys.exit(f"{path}: no YAML: {error}")
    if path.endswith("action.yml"):
        for step in document["runs"]["steps"]:
            if ("run" in step) != ("shell" in step) or ("run" in step) == ("uses" in step):
                sys.exit(f"{path}: a step of a composite action has run and shell, or uses: {step}")
EOF_PYTHON
else
    echo "the workflows and ci/action.yml were not parsed: python3 has no yaml here (Debian or Ubuntu: apt-get install python3-yaml)"
fi

if [ "$failed" = 0 ]; then echo "nothing found that should not be there"; fi
exit "$failed"
