#!/bin/sh
# cli_use.sh: what holds for every verb of `pith`: exit status 0 done, 1 failed, 2 wrong use; answers on standard output, all else
# on standard error; no escape sequence anywhere (NO_COLOR or not), no line that overwrites another where nobody looks.
# Runs in the build folder.
suite=cli_use
. "${top_srcdir:-.}/tests/cli_help.sh"
esc=$(printf '\033') cr=$(printf '\r')

# ends STATUS COMMAND...: with that status. What fails says so on standard error and prints no answer.
ends() {
    want=$1
    shift
    checks=$((checks + 1))
    "$@" >"$dir/out" 2>"$dir/log" </dev/null
    got=$?
    if [ $got != "$want" ]; then
        fail "status $got instead of $want: $*"
    elif [ "$want" != 0 ] && [ -s "$dir/out" ]; then
        fail "prints an answer though it fails: $*"
    elif [ "$want" != 0 ] && [ ! -s "$dir/log" ]; then
        fail "does not say why: $*"
    elif cat "$dir/out" "$dir/log" | grep -q "[$esc$cr]"; then
        fail "escape sequences or carriage returns in a file: $*"
    fi
}

# The command itself.
ends 2 ./pith
ends 2 ./pith no-such-verb
ends 2 ./pith --no-such-option
ends 0 ./pith --help
ends 0 ./pith -h
ends 0 ./pith help
verbs=$(./pith --help | sed -n 's/^  \([a-z][a-z-]*\)  *[a-z].*/\1/p')
ends 0 ./pith --version
ends 0 ./pith info --build
if [ -w /dev/full ]; then
    checks=$((checks + 1))
    ./pith info efnet-nano --json >/dev/full 2>"$dir/log" && fail "status 0 though nothing could be written"
fi

# Every verb.
most=abcdefghijklmnopqrstuvwxyz
for verb in $verbs; do
    ends 0 ./pith "$verb" --help
    [ "$verb" = report ] || ends 2 ./pith "$verb" # report may be of whatever lies here
    ends 2 ./pith "$verb" --no-such-option
    ends 2 ./pith "$verb" --json=1
    ends 2 ./pith "$verb" -$most
    if ./pith "$verb" --help | grep -q -e '--threads'; then
        ends 2 ./pith "$verb" --threads
        ends 2 ./pith "$verb" --threads some
        ends 2 ./pith "$verb" --threads 0
    fi
    ./pith "$verb" --help | grep -q -e '--seed' && ends 2 ./pith "$verb" --seed -1
done

# What is not there, or not what it says: 1.
nowhere=$dir/nowhere
echo "no model" >"$dir/text.pith"
for model in "$nowhere/m.pith" "$dir/text.pith"; do
    ends 1 ./pith eval "$model" --data "$nowhere"
    ends 1 ./pith predict "$model" "$nowhere/a.jpg"
    ends 1 ./pith info "$model"
    ends 1 ./pith export "$model" -o "$dir/m.tflite"
    ends 1 ./pith quantize "$model" --data "$nowhere" -o "$dir/q.pith"
    ends 1 ./pith qat "$model" --data "$nowhere" --out "$dir/run"
    ends 1 ./pith prune "$model" --data "$nowhere" --target 0.5 --out "$dir/run"
    ends 1 ./pith distill --teacher "$model" --data "$nowhere" --out "$dir/run"
    ends 1 ./pith analyze "$model" --data "$nowhere"
    ends 1 ./pith pack "$model" -o "$dir/m.pack"
    ends 1 ./pith unpack "$model" -o "$dir/m.out"
    ends 1 ./pith import "$model"
    ends 1 ./pith run "$model" "$nowhere/a.jpg"
    ends 1 ./pith plan "$model"
    ends 1 ./pith bench infer "$model" --seconds 0.1
done
ends 1 ./pith train --data "$nowhere" --out "$dir/run"
ends 1 ./pith train --resume "$nowhere"
ends 1 ./pith lr-find --data "$nowhere" -o "$dir/lr.svg"
ends 1 ./pith data check "$nowhere"
checks=$((checks + 1))
left=$(cd "$dir" && echo *)
[ "$left" = "log out text.pith" ] || fail "left behind: $left"

# A training: plain lines where nobody looks; on a terminal a living line, without colours; on a dumb one plain lines again.
ends 0 ./pith-draw -o "$dir/set" --train 16 --val 8 --size 32 --quiet
train="./pith train --data $dir/set --model resnet8 --image-size 32 --batch 8 --epochs 2 --threads 1 --force"
# shellcheck disable=SC2086 # words
ends 0 $train --out "$dir/run"
checks=$((checks + 2))
[ "$(grep -c '^epoch [12]/2 .*validation' "$dir/log")" = 2 ] || fail "not a line an epoch"
[ "$(grep -c '^accuracy ' "$dir/out")" = 1 ] || fail "no answer on standard output"
# shellcheck disable=SC2086
ends 0 $train --out "$dir/run" --json --quiet
checks=$((checks + 2))
[ -s "$dir/log" ] && fail "--quiet, and yet progress"
[ "$(wc -l <"$dir/out")" = 1 ] && grep -q '^{.*}$' "$dir/out" || fail "--json: not one object"
if command -v script >/dev/null && script -qec true /dev/null >/dev/null 2>&1; then
    on_terminal() { # TERM [NO_COLOR]
        checks=$((checks + 1))
        TERM=$1 NO_COLOR=${2:-} script -qec "$train --out $dir/run" /dev/null >"$dir/out" 2>"$dir/log" </dev/null ||
            fail "on a terminal ($1): status $?"
        checks=$((checks + 1))
        grep -q "$esc" "$dir/out" && fail "on a terminal ($1): escape sequences"
        sed "s/$cr*\$//" "$dir/out" >"$dir/log"
    }
    on_terminal xterm
    on_terminal xterm 1
    checks=$((checks + 1))
    on_terminal dumb
    grep -q "$cr" "$dir/log" && fail "on a dumb terminal: lines are overwritten"
fi

finish
