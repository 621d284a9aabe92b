#!/bin/sh
# Exported C source on emulated Cortex-M boards, on a big-endian machine of 32 bits (PowerPC, emulated) and under the host's
# sanitizers, beside the host's integer engine: not one byte may differ; flash and RAM are what the exporter told.
# usage: tests/interop/mcu.sh BUILD-DIR     Ends with "N passed, N failed, N skipped".
# PITH_REAL_DATA: a folder with cats-dogs/val in it; else the pictures are drawn. MCU_MODEL: a quantized model more to run;
# MCU_IMAGES: photographs a network (100). MCU_NETS: fewer networks than the four.
set -u
build=$(cd "${1:?usage: mcu.sh BUILD-DIR}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
mcu=$here/../../examples/mcu
images=${MCU_IMAGES:-100}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
for tool in arm-none-eabi-gcc qemu-system-arm; do
    if ! command -v $tool >/dev/null; then
        echo "mcu: skipped: $tool is not installed"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    fi
done

check() { # WHAT COMMAND...
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1)); echo "ok       $what"
    else
        failed=$((failed + 1)); echo "FAILED   $what"; sed 's/^/         /' "$work/log" | tail -n 20
    fi
}

if [ -d "${PITH_REAL_DATA:-}/cats-dogs/val" ]; then
    data=$PITH_REAL_DATA/cats-dogs
else
    echo "         no photographs (PITH_REAL_DATA): pictures are drawn"
    data=$work/drawn
    "$build/pith-draw" -o "$data" --train 60 --val 100 --size 96 --quiet || exit 1
fi
# Every so manieth picture, of all classes.
find "$data/val" -name '*.jpg' | sort >"$work/all"
awk -v n="$images" -v all="$(wc -l <"$work/all")" 'int(NR * n / all) > int((NR - 1) * n / all)' "$work/all" >"$work/pictures"

expected() { # NAME MODEL: the inputs, and what the host's engine answers
    mkdir -p "$work/$1" && "$build/tests/interop/dump_photos" "$work/$1" "$2" "$work/pictures" &&
        "$build/pith" export "$2" -o "$work/$1/net.c" -q
}

board() { # NAME BOARD [CFLAGS]
    make -s -f "$mcu/Makefile" run MODEL="$work/$1/net.c" BOARD="$2" BUILD="$work/$1/$2${3:+-plain}" CFLAGS="${3:--O2}" \
        IMAGE="$work/$1/x.i8" ANSWERS="$work/$1/$2.y" >"$work/$1/$2.txt" 2>&1
    status=$?
    cat "$work/$1/$2.txt"
    [ $status = 0 ] && cmp "$work/$1/$2.y" "$work/$1/y"
}

# `size` of the object: its constants and its memory are the header's figures; nothing is initialised data.
sizes() { # NAME BOARD
    flash=$(sed -n 's/^#define NET_FLASH_BYTES //p' "$work/$1/net.h")
    ram=$(sed -n 's/^#define NET_RAM_BYTES //p' "$work/$1/net.h")
    arm-none-eabi-size -A "$work/$1/$2/net-$2.o" | awk -v flash="$flash" -v ram="$ram" '
        { s[$1] += $2 } END { print s[".text"], "bytes of code", s[".rodata"], flash, s[".bss"], ram
        exit !(flash > 0 && ram > 0 && s[".rodata"] == flash && s[".bss"] == ram && s[".data"] == 0) }'
}

hosted() { # NAME HOW COMPILER... [-- RUNNER...]: the plain C of it, as another machine has it
    dir=$work/$1 how=$2 compile= run=
    shift 2
    while [ $# -gt 0 ] && [ "$1" != -- ]; do compile="$compile $1"; shift; done
    [ $# -gt 0 ] && shift && run=$*
    # shellcheck disable=SC2086 # words
    $compile -std=c99 -Wall -Wextra -Werror -pedantic -I"$dir" "$here/run_c.c" "$dir/net.c" -o "$dir/$how" &&
        $run "$dir/$how" <"$dir/x.i8" >"$dir/$how.y" && cmp "$dir/$how.y" "$dir/y"
}

network() { # NAME MODEL BOARDS...
    name=$1
    check "$name: written as C" expected "$name" "$2"
    shift 2
    for b in "$@"; do
        check "$name on $b: the host's bytes for $(wc -l <"$work/pictures") pictures" board "$name" "$b"
        tail -n 1 "$work/$name/$b.txt" | sed 's/^/         /'
        check "$name on $b: flash and RAM are as told" sizes "$name" "$b"
        sed 's/^/         /' "$work/log"
    done
}

quantized() { # FAMILY [NAME ZEROS]: untrained, with ranges of these pictures
    "$build/tests/interop/dump_mcu_net" "$1" "$work/${2:-$1}.pith" ${3:+"$3"} &&
        "$build/pith" quantize "$work/${2:-$1}.pith" --data "$data" -o "$work/${2:-$1}-int8.pith" --samples 32 --no-eval -q
}

ppc=powerpc-linux-gnu-gcc
if ! command -v $ppc >/dev/null || ! command -v qemu-ppc >/dev/null; then
    skipped=$((skipped + 1)); echo "skipped  big-endian, 32 bits: $ppc and qemu-ppc are not installed"
    ppc=
fi
nets=${MCU_NETS:-efnet-nano efnet-micro mobilenet-v1 resnet8}
for net in $nets; do
    check "$net quantized" quantized $net
    network $net "$work/$net-int8.pith" m4 m7 m55
    check "$net under -fsanitize=undefined,address" hosted $net ubsan gcc -O2 -fsanitize=undefined,address -fno-sanitize-recover=all
    [ -z "$ppc" ] || check "$net, big-endian, 32 bits: the host's bytes" hosted $net ppc $ppc -O2 -static -- qemu-ppc
done
case $nets in *mobilenet-v1*)
    check "mobilenet-v1 on m4 without the DSP extension" board mobilenet-v1 m4 "-O2 -DPITH_NO_DSP"
    sed 's/^/         /' "$work/log" ;;
esac
case $nets in *efnet-nano*)
    check "efnet-nano, 80% of its weights at zero, quantized" quantized efnet-nano sparse 0.8
    network sparse "$work/sparse-int8.pith" m4
    check "sparse: has lists of weights" grep -q ' sparse(&l' "$work/sparse/net.c" ;;
esac
[ -n "${MCU_MODEL:-}" ] && network given "$MCU_MODEL" m4 m7 m55
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
