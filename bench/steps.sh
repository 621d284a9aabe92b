#!/bin/sh
# What a training step costs that does more than a plain one: models of one network (quantized while training, pruned under a
# mask, shared values, ...) beside the plain network, by turns, so that what disturbs one disturbs all. A figure is the median
# over the rounds of a step's time divided by the plain network's in the same round.
# usage: steps.sh PITH OUT.json [rounds=N] [seconds=S] [threads=T] PLAIN.pith FILE.pith...
set -eu
[ $# -ge 4 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
pith=$1 out=$2 rounds=7 seconds=2 threads=1
shift 2
while :; do
    case ${1-} in
    "") sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2 ;;
    rounds=* | seconds=* | threads=*) eval "${1%%=*}=\${1#*=}"; shift ;;
    *) break ;;
    esac
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
round=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    for file; do
        "$pith" bench train "$file" --seconds "$seconds" --threads "$threads" --json >"$dir/one"
        printf '%s\t%s\t%s\n' $round "$(sed 's/.*"ms_median":\([0-9.]*\).*/\1/' "$dir/one")" "$file" >>"$dir/all"
        printf '\r%d of %d: %s      ' $round "$rounds" "$file" >&2
    done
done
printf '\r%60s\r' '' >&2
awk -F '\t' -v plain="$1" -v rounds="$rounds" -v threads="$threads" -v out="$out.tmp" '
    function median(of, n,    i, j, t) {
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && of[j] < of[j - 1]; j--) { t = of[j]; of[j] = of[j - 1]; of[j - 1] = t }
        return n % 2 ? of[(n + 1) / 2] : (of[n / 2] + of[n / 2 + 1]) / 2
    }
    { ms[$3, $1] = $2; if ($1 == 1) name[++files] = $3 }
    END {
        printf "%9s %7s   %s\n", "ms a step", "times", "model (" rounds " rounds, threads: " threads ")"
        printf "{ \"plain\": \"%s\", \"rounds\": %d, \"threads\": %d, \"rows\": [", plain, rounds, threads > out
        for (i = 1; i <= files; i++) {
            for (r = 1; r <= rounds; r++) { ratio[r] = ms[name[i], r] / ms[plain, r]; time[r] = ms[name[i], r] }
            m = median(time, rounds); q = median(ratio, rounds)
            printf "%9.1f %7.3f   %s\n", m, q, name[i]
            printf "%s\n  { \"model\": \"%s\", \"ms\": %.2f, \"times\": %.4f, \"least\": %.4f, \"most\": %.4f }", \
                (i > 1 ? "," : ""), name[i], m, q, ratio[1], ratio[rounds] > out
        }
        print " ] }" > out
    }' "$dir/all"
mv "$out.tmp" "$out"
