#!/bin/bash
# Runs every command of doc/tutorial.md in its order, on fewer and smaller pictures and for one epoch each: what the tutorial tells to
# type works, and gives what the next command needs.
# usage: tests/interop/tutorial.sh BUILD-DIR     Ends with "N passed, N failed, N skipped". TUTORIAL_FULL=1: as it stands.
set -u
build=$(cd "${1:?usage: tutorial.sh BUILD-DIR}" && pwd)
text=$(cd "$(dirname "$0")/../../doc" && pwd)/tutorial.md
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export PATH=$build:$PATH XDG_CACHE_HOME=$work/cache
cd "$work" || exit 1
passed=0 failed=0
small='s/--train 3000 --val 600 --size 72/--train 96 --val 32 --size 40/; s/--image-size 64/--image-size 32/; s/--epochs [0-9]*/--epochs 1/
    s/--samples [0-9]*/--samples 32/; s/--rounds [0-9]*/--rounds 2/; s/--target 0.8/& --per-layer/; s/^pith \(train\|distill\|prune\|qat\) /&--batch 16 /'
[ -n "${TUTORIAL_FULL:-}" ] && small=
while read -r line; do
    command=$(sed "$small" <<<"$line")
    if eval "$command" >log 2>&1 </dev/null; then
        passed=$((passed + 1)); echo "ok       $command"
    else
        failed=$((failed + 1)); echo "FAILED   $command"; tail -n 5 log | sed 's/^/         /'
    fi
done < <(sed -n 's/^    \(pith.*\)/\1/p' "$text")
[ $((passed + failed)) -gt 20 ] || { echo "FAILED   $text has no commands"; failed=$((failed + 1)); }
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
