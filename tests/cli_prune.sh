#!/bin/sh
# cli_prune.sh: `pith prune` and `pith pack` from the command line: weights, channels, the scan, and what is refused. On a drawn set
# and a network of one epoch.
suite=cli_prune
. "${top_srcdir:-.}/tests/cli_help.sh"

# number FILE KEY: the first number of that name in a JSON text
number() { grep -o "\"$2\": *[-0-9.e+]*" "$1" | head -n 1 | sed "s/.*: *//"; }

# holds WHAT CONDITION: a comparison that awk computes
holds() {
    checks=$((checks + 1))
    awk "BEGIN { exit !($2) }" </dev/null || fail "$1: $2 does not hold"
}

no=$dir/no.out
works ./pith-draw -o "$dir/set" --train 24 --val 8 --size 32 --quiet
# shellcheck disable=SC2086 # options
set -- --data "$dir/set" --batch 8 --epochs 1 -q $threads
works ./pith train --model resnet8 --image-size 32 --out "$dir/run" "$@"
float=$dir/run/last.pith
./pith info "$float" --json >"$dir/float.json"
# A model file is gone on with at its own size.
works ./pith train --model "$float" --out "$dir/on" "$@"
refuses 1 'no.pith' "$no" ./pith train --model "$dir/no.pith" --out "$no" "$@"

# The integers of a network quantized while training pack as small as weights of so many bits.
works ./pith qat "$float" --out "$dir/qat" "$@"
works ./pith pack "$dir/qat/last.pith" -o "$dir/qat.pack" -q
works ./pith pack "$dir/qat/last.pith" --integers -o "$dir/integers.pack" -q
holds "packed integers" "$(wc -c <"$dir/integers.pack") < 0.5 * $(wc -c <"$dir/qat.pack")"
works ./pith eval "$dir/qat/last.pith" --data "$dir/set" --json
cp "$dir/log" "$dir/qat.json"
works ./pith eval "$dir/integers.pack" --data "$dir/set" --json
holds "the same loss" "$(number "$dir/qat.json" loss) == $(number "$dir/log" loss)"
works ./pith eval "$dir/integers.pack" --data "$dir/set" --against "$float" --csv "$dir/val.csv" --json
holds "paired" "$(number "$dir/log" only_this) + $(number "$dir/log" only_other) <= $(number "$dir/log" differ)"
holds "a line an image" "$(wc -l <"$dir/val.csv") == 1 + $(number "$dir/log" n)"
works ./pith eval "$float" --data "$dir/set" --against "$float" --json
holds "beside itself" "$(number "$dir/log" differ) == 0 && $(number "$dir/log" p) == 1"
works ./pith eval "$float" --data "$dir/set" --csv /dev/null -q
checks=$((checks + 1))
[ -c /dev/null ] || fail "/dev/null was replaced"
refuses 1 'no.pith' "$no" ./pith eval "$float" --data "$dir/set" --against "$dir/no.pith" --csv "$no"
refuses 1 'cannot be written' "$dir/nowhere/x.csv" ./pith eval "$float" --data "$dir/set" --csv "$dir/nowhere/x.csv"
refuses 1 'is not quantized' "$no" ./pith pack "$float" --integers -o "$no" -q

# Weights under a mask.
works ./pith prune "$float" --target 0.75 --out "$dir/weights" "$@" --json
cp "$dir/log" "$dir/weights.json"
holds "sparsity" "$(number "$dir/weights.json" sparsity) >= 0.749 && $(number "$dir/weights.json" sparsity) < 0.76"
works ./pith pack "$dir/weights/last.pith" -o "$dir/weights.pack" -q
holds "packed size" "$(wc -c <"$dir/weights.pack") < 0.6 * $(wc -c <"$dir/weights/last.pith")"
works ./pith unpack "$dir/weights.pack" -o "$dir/again.pith" -q
works ./pith pack "$dir/again.pith" -o "$dir/again.pack" -q
works cmp "$dir/again.pack" "$dir/weights.pack"

# The same of a .tflite, which keeps every byte, runs packed, and has nothing to round.
works ./pith export "$dir/weights/last.pith" -o "$dir/weights.tflite" -q
works ./pith pack "$dir/weights.tflite" -o "$dir/weights.tflp" --json
holds "its size" "$(number "$dir/log" bytes) == $(wc -c <"$dir/weights.tflp") && $(number "$dir/log" ratio) > 1.6"
works ./pith pack "$dir/weights.tflite" -o "$dir/weights.tflp"
has "$dir/log" 'packed, all of it'
works ./pith unpack "$dir/weights.tflp" -o "$dir/again.tflite" -q
works cmp "$dir/again.tflite" "$dir/weights.tflite"
picture=$(find "$dir/set" -name '*.png' -o -name '*.jpg' -o -name '*.ppm' | sed 1q)
works ./pith run "$dir/weights.tflite" "$picture" --json
cp "$dir/log" "$dir/plain.json"
works ./pith run "$dir/weights.tflp" "$picture" --json
cp "$dir/log" "$dir/packed.json"
works cmp "$dir/packed.json" "$dir/plain.json"
refuses 2 'no --half' "$no" ./pith pack "$dir/weights.tflite" --half -o "$no"
refuses 2 'no --integers' "$no" ./pith pack "$dir/weights.tflp" --integers -o "$no"
refuses 1 'expected a model file' "$no" ./pith export "$dir/weights.tflp" -f onnx -o "$no"
head -c 2000 "$dir/weights.tflp" >"$dir/cut.tflp"
refuses 1 'cut.tflp.*damaged or cut short' "$no" ./pith unpack "$dir/cut.tflp" -o "$no"

# Channels that go: fewer parameters; 16 at a time unless told otherwise.
works ./pith prune "$float" --granularity channel --remove --target 0.3 --out "$dir/channels" "$@"
./pith info "$dir/channels/last.pith" --json >"$dir/channels.json"
holds "multiply-adds" "$(number "$dir/channels.json" macs) <= 0.7 * $(number "$dir/float.json" macs)"
works ./pith prune "$float" --granularity channel --remove --multiple 1 --target 0.3 --out "$dir/ones" "$@"
./pith info "$dir/ones/last.pith" --json >"$dir/ones.json"
holds "closer to the target" "$(number "$dir/ones.json" macs) > $(number "$dir/channels.json" macs)"

# What each layer bears: no training, nothing written.
works ./pith prune "$float" --scan --samples 16 --data "$dir/set" -q $threads --json
has "$dir/log" '"proposed"'
holds "levels" "$(number "$dir/log" loss) > 0"
works ./pith prune "$float" --layers 'stem.conv=0.5' --target 0.5 --out "$dir/layers" "$@"

refuses 2 'target T is needed' "$no" ./pith prune "$float" --out "$no" "$@"
refuses 2 'goes with --granularity channel' "$no" ./pith prune "$float" --target 0.5 --remove --out "$no" "$@"
refuses 2 'add --granularity channel --remove' "$no" ./pith prune "$float" --target 0.5 --multiple 8 --out "$no" "$@"
refuses 2 'takes the channels away at once' "$no" ./pith prune "$float" -g channel --remove --target 0.5 --schedule poly --out "$no" "$@"
refuses 2 'not known' "$no" ./pith prune "$float" --target 0.5 --granularity atom --out "$no" "$@"
refuses 2 '1 <= N < M' "$no" ./pith prune "$float" --granularity 4:2 --out "$no" "$@"
refuses 2 'not known' "$no" ./pith prune "$float" --target 0.5 --criterion luck --out "$no" "$@"
refuses 2 'not known' "$no" ./pith prune "$float" --target 0.5 --schedule never --out "$no" "$@"
refuses 2 'only --schedule rewind' "$no" ./pith prune "$float" --target 0.5 --rewind-to x.pith --out "$no" "$@"
refuses 1 'matches no layer' "$no" ./pith prune "$float" --target 0.5 --skip 'nothing*' --out "$no" "$@"
refuses 1 'allow more to go' "$no" ./pith prune "$float" -g channel --remove --target 0.99 --out "$no" "$@"
refuses 1 'nothing.pith' "$no" ./pith prune "$dir/nothing.pith" --target 0.5 --out "$no" "$@"
refuses 1 . "$no" ./pith unpack "$float.broken" -o "$no"

finish
