# cli_help.sh: read by the programs that test the `pith` command (suite=NAME before), in the build folder: a folder of their own, what
# works, what is refused, and the closing line that all suites have.
set -u
LC_ALL=C
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
XDG_CACHE_HOME=$dir
export LC_ALL XDG_CACHE_HOME
checks=0 failures=0
threads="--threads 1"

fail() { failures=$((failures + 1)); echo "$suite: $*"; sed 's/^/    /' "$dir/log" | tail -n 5; }

# works COMMAND...: status 0
works() {
    checks=$((checks + 1))
    "$@" >"$dir/log" 2>&1 || fail "status $?: $*"
}

# refuses STATUS WORDS OUT COMMAND...: that status, a message with these words, no file OUT
refuses() {
    want=$1 words=$2 out=$3
    shift 3
    checks=$((checks + 1))
    "$@" >"$dir/log" 2>&1
    got=$?
    if [ $got != "$want" ]; then
        fail "status $got instead of $want: $*"
    elif ! grep -q -e "$words" "$dir/log"; then
        fail "does not say '$words': $*"
    elif [ -e "$out" ]; then
        fail "leaves $out behind: $*"
    fi
}

# begins FILE OFFSET BYTES: a file of that kind
begins() {
    checks=$((checks + 1))
    [ "$(dd if="$1" bs=1 skip="$2" count=4 2>/dev/null)" = "$3" ] || fail "$1 does not have '$3' at $2"
}

# has FILE WORDS: somewhere in it
has() {
    checks=$((checks + 1))
    grep -a -q -e "$2" "$1" || fail "$1 does not have '$2'"
}

finish() {
    echo "$suite"
    echo "$((100 * (checks - failures) / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
    [ $failures = 0 ]
}
