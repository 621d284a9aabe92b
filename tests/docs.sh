#!/bin/sh
# docs.sh: what is written is true of the command: man pages of every verb and header, with every option and function, which troff
# and mandoc take without a warning; completion that answers; and every `pith VERB ...` in README and doc/ uses verbs and options
# that exist. Runs in the build folder; top_srcdir names the sources.
set -u
LC_ALL=C
export LC_ALL
src=${top_srcdir:-..}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
checks=0 failures=0

fail() { failures=$((failures + 1)); echo "docs: $*"; }
is() { # WHAT COMMAND...
    what=$1
    shift
    checks=$((checks + 1))
    "$@" >/dev/null 2>&1 || fail "$what"
}

verbs=$(./pith --help | sed -n 's/^  \([a-z][a-z-]*\)  *[a-z].*/\1/p')
for verb in $verbs; do
    ./pith "$verb" --help >"$dir/$verb.help"
done

# ---- Pages
if [ -f man/pith.1 ]; then
    for verb in $verbs; do
        is "pith(1) does not name $verb" grep -q "^.fB$(echo "$verb" | sed 's/-/.-/g').fR\$" man/pith.1
        is "no page of pith $verb" test -s "man/pith-$verb.1"
        for option in $(sed -n 's/^  --\([a-z0-9-]*\).*/\1/p' "$dir/$verb.help"); do
            is "pith-$verb(1) does not have --$option" grep -q -- "^.fB.-.-$(echo "$option" | sed 's/-/.-/g').fR" "man/pith-$verb.1"
        done
    done
fi
for header in "$src"/include/pith/*.h; do
    page=man/pith_$(basename "$header").3
    is "no page of $header" test -s "$page"
    is "$page is not as long as its header says" test "$(wc -l <"$page")" -gt 10
    for function in $(sed -n 's/^PITH_API .*[ *]\(pith_[a-z0-9_]*\)(.*/\1/p' "$header"); do
        is "$page does not have $function" grep -q "$function(" "$page"
        is "no page $function(3)" test -s "man/$function.3"
    done
done
for page in man/pith*.1 man/pith_*.h.3; do
    [ -f "$page" ] || continue
    for how in "groff -ww -Tutf8 -man" "mandoc -Tlint -Wwarning"; do
        command -v "${how%% *}" >/dev/null || continue
        checks=$((checks + 1))
        $how "$page" 2>&1 >"$dir/page" | cat >"$dir/log"
        case $how in mandoc*) cat "$dir/page" >>"$dir/log" ;; esac
        [ -s "$dir/log" ] && fail "$how $page: $(head -n 1 "$dir/log")"
    done
done

# ---- Completion
# asked WORDS...: what bash would offer for the last of them, words and all
asked() {
    bash -c '
        . "$1" || exit 1
        shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _pith
        printf "%s\n" "${COMPREPLY[@]}" | sort | tr "\n" " "' - "$src/doc/completion/pith" "$@" 2>&1
}
offers() { # ANSWER WORDS...
    want=$1
    shift
    checks=$((checks + 1))
    got=$(asked "$@" | sed 's/ *$//')
    [ "$got" = "$want" ] || fail "completion of '$*': '$got' instead of '$want'"
}
if command -v bash >/dev/null; then
    mkdir "$dir/photos" "$dir/photos/cat" && : >"$dir/photos/a.jpg"
    offers "$(printf '%s\n' --help --version $verbs | sort | tr '\n' ' ' | sed 's/ $//')" ./pith ''
    offers "qat quantize" ./pith q
    for verb in $verbs; do
        offers "$(sed -n 's/^  \(--[a-z0-9-]*\).*/\1/p' "$dir/$verb.help" | sort | tr '\n' ' ' | sed 's/ $//')" ./pith "$verb" --
    done
    offers "--data --depth --drop-connect --dropout" ./pith train --d
    offers "adamw rmsprop sgd" ./pith train --optimizer ''
    offers "adamw" ./pith train --optimizer = a
    offers "vector" ./pith prune run/last.pith -g v
    offers "cle,bias cle,bn" ./pith quantize m.pith --improve cle,b
    offers "train val" ./pith eval m.pith --split ''
    offers "" ./pith train --epochs ''
    offers "$dir/photos" ./pith train --data "$dir/ph"
    offers "$dir/photos/cat" ./pith train --data "$dir/photos/"
    offers "$dir/photos/a.jpg $dir/photos/cat" ./pith predict m.pith "$dir/photos/"
    offers "$dir/photos/a.jpg $dir/photos/cat" ./pith predict m.pith b.jpg "$dir/photos/"
    offers "efnet-b0 efnet-lite0 efnet-micro efnet-nano" ./pith info efnet
    offers "mobilenet-v1 mobilenet-v2" ./pith train --model mob
    offers "infer train" ./pith bench ''
    offers "resnet8" ./pith bench train res
    offers "" ./pith eval m.pith --quiet "$dir/photos/"
fi

# ---- What the texts tell to type: `pith` or `build/pith`, a verb, options; up to two spaces (where an explanation begins), a
# backquote, a pipe or the line's end.
for text in "$src"/README "$src"/doc/*.md "$src"/doc/*.txt "$src"/HACKING "$src"/datasets/README; do
    [ -f "$text" ] || continue
    awk '{
        line = $0
        while (match(line, /(^|[ `"(\/])pith [a-z]/)) {
            line = substr(line, RSTART + RLENGTH - 1)
            said = line; sub(/  .*/, "", said); sub(/[`|;)&#"].*/, "", said)
            print said
        }
    }' "$text" >"$dir/said"
    while read -r verb rest; do
        [ -f "$dir/$verb.help" ] || { case $rest in *--*) checks=$((checks + 1)) && fail "$text: no verb '$verb' ($rest)" ;; esac; continue; }
        for word in $rest; do
            case $word in
            --*) option=${word%%[=,.:]*} ;;
            *) continue ;;
            esac
            is "$text: pith $verb has no $option" grep -q -e "^  $option\( \|,\|\$\)" "$dir/$verb.help"
        done
    done <"$dir/said"
done

echo "docs"
echo "$((100 * (checks - failures) / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures = 0 ]
