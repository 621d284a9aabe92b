#!/bin/sh
# report_browser.sh: the report in a real browser. Headless Chromium opens the pages of two runs made by hand, without a
# network, on a desk and on a telephone, light and dark: no message on the console, and all that reacts is used
# (report_browser.js). Skipped where Chromium is not installed.

set -u
top=${top_srcdir-.}
build=${top_builddir-.}
browser=
for name in "${CHROMIUM-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
        browser=$name
        break
    fi
done
if [ -z "$browser" ]; then
    echo "SKIP: no Chromium here (Debian: apt-get install chromium)"
    exit 77
fi
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
checks=0
failures=0

fail() {
    echo "report_browser: $*"
    failures=$((failures + 1))
}

# $1 page, $2 width, $3 more options; what the page became goes to $dir/dom, the console to $dir/console.
open_page() {
    # shellcheck disable=SC2086 # $3 is a list
    XDG_CONFIG_HOME=$dir XDG_CACHE_HOME=$dir timeout 300 "$browser" --headless --no-sandbox --disable-gpu \
        --disable-dev-shm-usage --no-first-run --user-data-dir="$dir/profile" --disable-background-networking \
        --disable-component-update --proxy-server=127.0.0.1:1 --host-resolver-rules='MAP * ~NOTFOUND' \
        --enable-logging=stderr --window-size="$2,900" $3 --dump-dom "file://$1" >"$dir/dom" 2>"$dir/console"
}

# A browser that cannot start here (a container without what it needs) proves nothing about the page.
echo '<!DOCTYPE html><title>x</title><p>alive' >"$dir/try.html"
open_page "$dir/try.html" 800 ''
if ! grep -q alive "$dir/dom"; then
    echo "SKIP: $browser does not start here: $(tail -n 1 "$dir/console")"
    exit 77
fi

"$build/tests/report_fixture" "$dir" || exit 99
# A network for the pictures of what it looks at.
"$build/pith" train --data "$dir/lab/photos" --model mobilenet-v1 --width 0.25 --depth 0.2 --image-size 32 --epochs 1 \
    --batch 16 --threads 1 -q --out "$dir/made" >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
cp "$dir/made/last.pith" "$dir/lab/steps/float/last.pith"
"$build/pith" report "$dir/lab" -q || exit 1
grep -q 'section id="cam"' "$dir/lab/report.html" || fail "no pictures of what it looks at"
"$build/pith" report "$dir/run" -q || exit 1
"$build/pith" report "$dir/lab" "$dir/run" -q --out "$dir/both.html" || exit 1

for page in "$dir/lab/report.html" "$dir/run/report.html" "$dir/both.html"; do
    # Nothing that would be fetched stands in it.
    if grep -nE '(src|href|url\()[^>]{0,3}(https?:)?//' "$page"; then
        fail "$page: names something of the network"
    fi
    for width in 1280 390; do
        for theme in '' '--blink-settings=preferredColorScheme=0'; do
            open_page "$page" $width "$theme"
            if grep -q CONSOLE "$dir/console"; then
                fail "$page at $width: $(grep CONSOLE "$dir/console" | head -n 3)"
            fi
            checks=$((checks + 1))
        done
        { cat "$page"; printf '<script>\n'; cat "$top/tests/report_browser.js"; printf '</script>\n'; } >"$dir/used.html"
        open_page "$dir/used.html" $width ''
        if grep -q CONSOLE "$dir/console"; then
            fail "$page at $width, used: $(grep CONSOLE "$dir/console" | head -n 3)"
        fi
        result=$(grep -o 'data-failed="[^"]*"' "$dir/dom" | head -n 1)
        [ "$result" = 'data-failed="none"' ] || fail "$page at $width: ${result:-the script came to no end}"
        done=$(grep -o 'data-checked="[0-9]*"' "$dir/dom" | head -n 1 | tr -dc 0-9)
        checks=$((checks + ${done:-0}))
    done
done
echo "report_browser: $checks checks, $failures failures"
[ "$failures" = 0 ] && [ "$checks" -gt 100 ]
