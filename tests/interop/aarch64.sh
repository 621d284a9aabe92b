#!/bin/sh
# pith, cross-built for aarch64 and run under qemu-user.
#   libpith-rt      on random cases of every int8 op that has a word in TensorFlow Lite, and on whole networks, it gives the bytes
#                   of the host's engine (SIMD there, plain C here)
#   the command     decodes, trains, quantizes, evaluates, runs, exports and packs; where numbers are whole, and in files of the
#                   same model, the host gives the same bytes
# usage: tests/interop/aarch64.sh BUILD-DIR     Ends with "N passed, N failed, N skipped".
# The libraries that the command needs are Debian's packages for arm64, unpacked into a folder and not installed: apt is given lists of
# its own. Where they cannot be had, configure is shown an empty jansson, and libpith-rt, which needs no library, is tested alone.
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
passed=0 failed=0 skipped=0
root=$work/root triple=usr/lib/$host

check() { # WHAT COMMAND...
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1)); echo "ok       $what: $(tail -n 1 "$work/log")"
    else
        failed=$((failed + 1)); echo "FAILED   $what"; sed 's/^/         /' "$work/log" | tail -n 20
    fi
}

# Debian's packages for arm64, in $root.
packages() {
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/debs" "$root" && cd "$work/debs" || return 1
    apt="apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State::status=/dev/null
        -o Dir::State::lists=$work/apt/lists -o Dir::Cache=$work/apt/cache -o Acquire::Languages=none -o Acquire::Retries=2"
    # shellcheck disable=SC2086 # words
    $apt update && $apt download libjansson-dev libjansson4 libjpeg62-turbo libjpeg62-turbo-dev zlib1g zlib1g-dev \
        libopenblas0-pthread libgfortran5 || return 1
    for deb in *.deb; do dpkg -x "$deb" "$root" || return 1; done
    [ -f "$root/$triple/libjansson.so" ] && [ -f "$root/$triple/openblas-pthread/libopenblas.so.0" ] && echo "$(ls | wc -l) of them"
}

empty_jansson() {
    mkdir -p "$work/empty" && cd "$work/empty" || return 1
    printf '#include <stddef.h>\nvoid *json_loadb(const char *, size_t, size_t, void *);\n' >jansson.h
    printf '#include "jansson.h"\nvoid *json_loadb(const char *p, size_t n, size_t f, void *e) { return 0; }\n' >jansson.c
    $host-gcc -c jansson.c -o jansson.o && $host-ar rcs libjansson.a jansson.o
}

# -O1: half the compiler's time, and qemu's does not hang on it.
configured() { # WITH-ARGUMENTS...
    mkdir -p "$work/build" && cd "$work/build" && "$top/configure" -q --host=$host --enable-werror PKG_CONFIG=false \
        CC="${AARCH64_CC:-$host-gcc}" CFLAGS="-O1 -g0" "$@" && echo "for $host"
}
with_libraries() {
    inc="-I$root/usr/include -I$root/usr/include/$host" lib="-L$root/$triple"
    configured --disable-static JANSSON_CFLAGS="$inc" JANSSON_LIBS="$lib -ljansson" JPEG_CFLAGS="$inc" JPEG_LIBS="$lib -ljpeg" \
        ZLIB_CFLAGS="$inc" ZLIB_LIBS="$lib -lz" --with-libjpeg --with-zlib
}
without() { configured --disable-static JANSSON_CFLAGS="-I$work/empty" JANSSON_LIBS="-L$work/empty -ljansson" --without-libjpeg --without-zlib; }

builds() { make -C "$work/build" -s -j"$(nproc)" "$@" && echo "$*"; }

emulated() {
    qemu-aarch64 -L /usr/$host -E LD_LIBRARY_PATH="$work/build/.libs:$root/$triple:$root/$triple/openblas-pthread" "$@"
}

program() {
    $host-gcc -std=c11 -Wall -Wextra -Werror -Wno-unused-parameter -I"$top/include" "$top/tests/interop/run_rt.c" \
        -L"$work/build/.libs" -lpith-rt -lm -o "$work/run_rt" && file_of "$work/run_rt"
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
whole() { net "$1" && emulated "$work/run_rt" "$work/nets"; }

# ---- The command: here is what runs on the host, there is what qemu runs ----
here() { "$build/pith" "$@"; }
there() { emulated "$work/build/pith" "$@"; }

# Both print the same part of their JSON.
same() { # PATTERN ARGUMENTS...
    pattern=$1
    shift
    here "$@" --json -q | grep -oE "$pattern" >"$work/here" && there "$@" --json -q | grep -oE "$pattern" >"$work/there" || return 1
    cmp "$work/here" "$work/there" && tr '\n' ' ' <"$work/there" | cut -c 1-100
}

# |a - b| <= 1e-4 of what both say after KEY.
close() { # KEY ARGUMENTS...
    key=$1
    shift
    a=$(here "$@" --json -q | sed "s/.*\"$key\":\([^,}]*\).*/\1/") && b=$(there "$@" --json -q | sed "s/.*\"$key\":\([^,}]*\).*/\1/") &&
        awk -v a="$a" -v b="$b" 'BEGIN { print a, b; exit !(a + 0 > 0 && (a - b) ^ 2 <= 1e-8) }'
}

trains() {
    there train --data "$work/drawn" --model efnet-nano --width 0.25 --depth 0.25 --image-size 32 --epochs 2 --batch 8 --warmup 0.5 \
        --threads 2 --out "$work/run" -q && grep -c '"epoch"' "$work/run/log.jsonl"
}
resumes() { there train --resume "$work/run" -q && echo "nothing left to do"; }

# Every picture: what went in, and what came out of the integers.
pictures() {
    n=0
    while read -r picture; do
        for side in here there; do
            $side run "$work/int8.pith" "$picture" --json --dump-input "$work/x.$side" | grep -o '"output_q":\[[^]]*\]' >"$work/y.$side" || return 1
        done
        cmp "$work/x.here" "$work/x.there" && cmp "$work/y.here" "$work/y.there" || return 1
        n=$((n + 1))
    done <"$work/pictures"
    echo "$n pictures"
}
files() { # VERB ENDING: of the same model
    here "$1" "$work/int8.pith" -o "$work/here.$2" -q && there "$1" "$work/int8.pith" -o "$work/there.$2" -q &&
        cmp "$work/here.$2" "$work/there.$2" && echo "$(wc -c <"$work/there.$2") bytes"
}
command_works() {
    check "the library and the command" builds libpith.la pith
    check "pith info --build" there info --build
    check "pith train" trains
    check "pith train --resume" resumes
    check "its model's accuracy on the host" same '"accuracy":[^,]*|"confusion":.*\]\]' eval "$work/run/last.pith" --data "$work/drawn"
    check "its model's loss on the host" close loss eval "$work/run/last.pith" --data "$work/drawn"
    check "pith quantize" there quantize "$work/run/last.pith" --data "$work/drawn" --samples 16 --no-eval -o "$work/int8.pith" -q
    check "pith eval, integers" same '"accuracy":[^,]*|"confusion":.*\]\]' eval "$work/int8.pith" --data "$work/drawn"
    check "pith run: pixels and integers" pictures
    check "pith export, .tflite" files export tflite
    check "pith export, .onnx" files export onnx
    check "pith pack" files pack pack
}

export XDG_CACHE_HOME="$work/cache"
"$build/pith-draw" -o "$work/drawn" --train 24 --val 8 --size 96 --quiet
find "$work/drawn/val" -name '*.jpg' | sort >"$work/pictures"
if packages >"$work/log" 2>&1; then
    check "configure --host" with_libraries
    command_works
else
    skipped=$((skipped + 1))
    echo "skipped  the command: Debian's packages for arm64 cannot be had: $(tail -n 1 "$work/log")"
    check "an empty jansson" empty_jansson
    check "configure --host" without
fi
check "libpith-rt" builds libpith-rt.la
check "a program on it" program
check "cases of every op" ops
check "the bytes of the host, op by op" emulated "$work/run_rt" "$work/ops"
for family in efnet-nano resnet8; do
    check "the bytes of the host, $family" whole $family
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
