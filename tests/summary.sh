#!/bin/sh
# summary.sh BUILD: what `make check` in the folder BUILD came to, from the logs it left. For each suite Check's own
# closing line, then for what failed the end of its log, and at last one line that counts single checks. Status 1 on failure.

build=${1-.}
passed=0 failed=0 skipped=0 failures=
for trs in "$build"/tests/*.trs; do
    [ -f "$trs" ] || continue
    log=${trs%.trs}.log
    name=$(basename "$log" .log)
    result=$(sed -n 's/^:test-result: *//p' "$trs" | head -n 1)
    line=$(grep -E '^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$' "$log" | tail -n 1)
    case $result in
    SKIP*)
        skipped=$((skipped + 1))
        echo "$name: $(grep '^SKIP: ' "$log" | head -n 1)"
        continue
        ;;
    esac
    bad=0
    if [ -n "$line" ]; then
        echo "$name:"
        echo "$line"
        # shellcheck disable=SC2046 # three numbers
        set -- $(echo "$line" | sed 's/.*Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\)/\1 \2 \3/')
        bad=$(($2 + $3))
        passed=$((passed + $1 - bad))
    elif [ "$result" = PASS ]; then
        echo "$name: passed"
        passed=$((passed + 1))
    fi
    # A program may fail after its last check, or without coming to an end.
    [ "$result" = PASS ] || [ $bad -gt 0 ] || bad=1
    failed=$((failed + bad))
    if [ $bad -gt 0 ]; then
        failures="$failures $log"
    fi
done
for log in $failures; do # last, where they are looked for
    echo "The end of $log:"
    tail -n 40 "$log" | sed 's/^/    /'
done
if [ $((passed + failed + skipped)) = 0 ]; then
    echo "no test has run in $build"
    failed=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
