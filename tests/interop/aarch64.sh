#!/bin/sh
# libpith-rt, the integer runtime, cross-built for aarch64 and run under qemu-user: on random cases of every int8 op that has a word
# in TensorFlow Lite, and on whole networks, it gives the bytes of the host's engine (SIMD there, plain C here).
# usage: tests/interop/aarch64.sh BUILD-DIR     Ends with "N passed, N failed, N skipped".
# Covered is what needs no libraries: libpith-rt, its public header, its install. The training library and the command need jansson (and
# OpenBLAS at run time) for arm64, which a Debian without that architecture does not have: configure is shown an empty jansson, and what
# would use it is not built.
set -u
build=$(cd "${1:?usage: aarch64.sh BUILD-DIR}" && pwd)
top=$(cd "$(dirname "$0")/../.." && pwd)
host=aarch64-linux-gnu
for tool in $host-gcc qemu-aarch64; do
    if ! command -v $tool >/dev/null; then
        echo "aarch64: skipped: $tool is not installed (Debian: gcc-$host libc6-dev-arm64-cross qemu-user)"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    fi
done
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

check() { # WHAT COMMAND...
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1)); echo "ok       $what: $(tail -n 1 "$work/log")"
    else
        failed=$((failed + 1)); echo "FAILED   $what"; sed 's/^/         /' "$work/log" | tail -n 20
    fi
}

empty_jansson() {
    mkdir -p "$work/empty" && cd "$work/empty" || return 1
    printf '#include <stddef.h>\nvoid *json_loadb(const char *, size_t, size_t, void *);\n' >jansson.h
    printf '#include "jansson.h"\nvoid *json_loadb(const char *p, size_t n, size_t f, void *e) { return 0; }\n' >jansson.c
    $host-gcc -c jansson.c -o jansson.o && $host-ar rcs libjansson.a jansson.o
}

configured() {
    mkdir -p "$work/build" && cd "$work/build" && "$top/configure" -q --host=$host PKG_CONFIG=false \
        CC="${AARCH64_CC:-$host-gcc}" JANSSON_CFLAGS="-I$work/empty" JANSSON_LIBS="-L$work/empty -ljansson" --without-libjpeg \
        --without-zlib && echo "for $host"
}

builds() { make -C "$work/build" -s -j"$(nproc)" libpith-rt.la && ls "$work"/build/.libs/libpith-rt.so; }

program() {
    $host-gcc -std=c11 -Wall -Wextra -Werror -Wno-unused-parameter -static -I"$top/include" "$top/tests/interop/run_rt.c" \
        "$work/build/.libs/libpith-rt.a" -lm -o "$work/run_rt" && file_of "$work/run_rt"
}

file_of() { od -An -tx2 -j18 -N2 "$1" | grep -q b7 && echo "an aarch64 program"; }

ops() { mkdir -p "$work/ops" && "$build/tests/interop/dump_int8_tflite" "$work/ops" "${AARCH64_CASES:-40}" && wc -l <"$work/ops/cases.txt"; }

# A network of random weights, quantized by drawn pictures, on eight of them.
net() { # FAMILY
    dir=$work/nets
    mkdir -p "$dir/$1" && "$build/tests/interop/dump_mcu_net" "$1" "$dir/$1.float" &&
        "$build/pith" quantize "$dir/$1.float" --data "$work/drawn" --samples 16 --no-eval -o "$dir/$1.pith" -q &&
        "$build/tests/interop/dump_photos" "$dir/$1" "$dir/$1.pith" "$work/pictures" &&
        "$build/pith" export "$dir/$1.pith" -o "$dir/$1.tflite" -q &&
        mv "$dir/$1/x.i8" "$dir/$1.x0" && mv "$dir/$1/y" "$dir/$1.y" && echo "$1 8 1" >"$dir/cases.txt"
}
whole() { net "$1" && qemu-aarch64 "$work/run_rt" "$work/nets"; }

check "an empty jansson" empty_jansson
check "configure --host" configured
check "libpith-rt" builds
check "a program on it" program
check "cases of every op" ops
check "the bytes of the host, op by op" qemu-aarch64 "$work/run_rt" "$work/ops"
export XDG_CACHE_HOME="$work/cache"
"$build/pith-draw" -o "$work/drawn" --train 24 --val 8 --size 96 --quiet
find "$work/drawn/val" -name '*.jpg' | sort >"$work/pictures"
for family in efnet-nano resnet8; do
    check "the bytes of the host, $family" whole $family
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
