#!/bin/sh
# distill.sh: what a teacher is worth to a student of half width, and the float network to its own few-bit versions; each
# training from the defaults, once a seed, by distillation and alone for as many epochs. What is made stays; call again to go on.
# usage: bench/distill.sh PITH DIR OUT teacher                      OUT/teacher: efnet-nano, 1.5 times as wide ($WIDTH), 60 epochs
#        bench/distill.sh PITH DIR OUT student KIND SEED...         KIND: alone, or what pith distill --kind takes
#        bench/distill.sh PITH DIR OUT bits FLOAT HOW SEED...       HOW: w4a8 or code2 (2-bit shared values) of the network in FLOAT
#        bench/distill.sh PITH DIR OUT table RESULT.json            all of it (bench/distill_table.py)
# $EPOCHS (40; few bits 8), $THREADS (all processors), $VARIANTS (8: augmentations of an image that a stored teacher has looked at)
set -eu
[ $# -ge 4 ] || { sed -n 's/^# usage: /usage: /p; s/^#        bench/       bench/p' "$0" >&2; exit 2; }
pith=$1 data=$2 out=$3 what=$4
shift 4
threads=${THREADS:+--threads $THREADS}
teacher=$out/teacher/last.pith
mkdir -p "$out"

# train NAME COMMAND...: a training into OUT/NAME, gone on with if it was interrupted, then what it says of each image
train() {
    name=$1
    shift
    [ -f "$out/$name.json" ] && return 0
    if [ -f "$out/$name/last.pith" ]; then
        "$pith" "$1" --resume "$out/$name" $threads -q >/dev/null
    else
        # shellcheck disable=SC2086
        "$pith" "$@" --data "$data" --out "$out/$name" $threads -q >/dev/null
    fi
    "$pith" eval "$out/$name/last.pith" --data "$data" --csv "$out/$name.csv" --json -q ${beside:+--against "$beside"} >"$out/$name.tmp"
    mv "$out/$name.tmp" "$out/$name.json"
    echo "$name: $(sed 's/^[^:]*:\([0-9.]*\),.*/\1/' "$out/$name.json")"
}

beside=
case $what in
teacher) train teacher train --model efnet-nano --width "${WIDTH:-1.5}" --epochs "${EPOCHS:-60}" ;;
student)
    kind=$1
    shift
    for seed; do
        set -- --model efnet-nano --width 0.5 --epochs "${EPOCHS:-40}" --seed "$seed"
        if [ "$kind" = alone ]; then
            train "alone-s$seed" train "$@"
        else
            beside=$teacher
            train "$kind-s$seed" distill --teacher "$teacher" --kind "$kind" --store "$out/$kind-s$seed.store" \
                --variants "${VARIANTS:-8}" "$@"
            rm -f "$out/$kind-s$seed.store"
        fi
    done
    ;;
bits)
    float=$1 how=$2
    shift 2
    beside=$float
    shared=$out/shared.pith
    case $how in w4a8 | code2) ;; *) echo "distill.sh: '$how': w4a8 or code2 is expected" >&2; exit 2 ;; esac
    [ "$how" = w4a8 ] || [ -f "$shared" ] ||
        "$pith" quantize "$float" --data "$data" --scheme codebook --bits-weights 2 --bits-ends 2 --keep-norms -o "$shared" -q
    for seed; do
        set -- --epochs "${EPOCHS:-8}" --seed "$seed"
        if [ "$how" = w4a8 ]; then
            train "w4a8-alone-s$seed" qat "$float" --bits-weights 4 "$@"
            train "w4a8-taught-s$seed" distill --teacher "$float" --model "$float" --qat --bits-weights 4 "$@"
        else
            set -- --optimizer adamw --lr 0.001 --warmup 0.1 "$@"
            train "code2-alone-s$seed" train --model "$shared" "$@"
            train "code2-taught-s$seed" distill --teacher "$float" --model "$shared" "$@"
        fi
    done
    ;;
table) exec python3 "$(dirname "$0")/distill_table.py" "$out" "$1" ;;
*) echo "distill.sh: '$what': teacher, student, bits or table is expected" >&2; exit 2 ;;
esac
