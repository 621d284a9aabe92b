#!/bin/sh
# Comparisons with readers and engines that nobody here wrote, in a virtual environment of its own.
# usage: tests/interop/run.sh BUILD-DIR [VENV]   Ends with "N passed, N failed, N skipped".
# The safetensors package reads our files always, LiteRT our .tflite files, ONNX Runtime our .onnx; PyTorch repeats a training step
# where it can be imported (it is large, 5 GB as it lies on disk, and is installed only with INTEROP_TORCH=1).
set -u
build=${1:?usage: run.sh BUILD-DIR [VENV]}
here=$(cd "$(dirname "$0")" && pwd)
venv=${2:-$build/interop-venv}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

if [ ! -x "$venv/bin/python" ] && ! python3 -m venv "$venv" >"$work/log" 2>&1; then
    echo "interop: skipped: python3 -m venv does not work here (python3-venv)"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
if ! "$venv/bin/python" -c "import numpy, safetensors" 2>/dev/null &&
    ! "$venv/bin/pip" install -q numpy safetensors >"$work/log" 2>&1; then
    echo "interop: skipped: packages cannot be installed: $(tail -n 1 "$work/log")"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi

check() { # NAME COMMAND...
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1)); echo "ok       $name"
    else
        failed=$((failed + 1)); echo "FAILED   $name"; sed 's/^/         /' "$work/log" | tail -n 20
    fi
}

# A group of packages, installed when first asked for. Status 1, and it is told, where that is not possible.
have() { # MODULES (comma-separated, to import) PACKAGES...
    modules=$1
    shift
    "$venv/bin/python" -c "import $modules" 2>/dev/null && return
    "$venv/bin/pip" install -q "$@" >"$work/log" 2>&1 && return
    skipped=$((skipped + 1)); echo "skipped  $modules cannot be installed: $(tail -n 1 "$work/log")"
    return 1
}

torch=no
[ "${INTEROP_TORCH:-0}" = 1 ] && have torch,torchvision,timm torch torchvision timm
"$venv/bin/python" -c "import torch" 2>/dev/null && make -s -C "$build" tests/interop/step_double >/dev/null && torch=yes
# Deep ReLU6 networks have activations within rounding of a kink, and each that falls on the other side moves gradients: in single
# precision they lie up to 2e-2 from the double ones, PyTorch's own as well (4.6e-3, 1.0e-3, 3.1e-2 on mobilenet-v1, efnet-lite0,
# timm's mobilenetv2_100). So every step is also repeated in double by both engines, within 1e-7; in single precision these
# networks (and timm's efficientnet_lite0, 1.0e-2) get 5e-2, all others 1e-3.
for net in "efnet-nano 96 8" "efnet-nano 61 5" "lenet 28 8" "efnet-b0 64 8" "efnet-lite0 64 8" "efnet-micro 96 8" \
    "mobilenet-v1 64 8" "mobilenet-v2 64 8" "resnet8 32 16"; do
    # shellcheck disable=SC2086 # name, image size, batch
    set -- $net
    dir=$work/$1-$2
    mkdir "$dir"
    check "$1 at $2: a step written out" "$build/tests/interop/dump_step" "$1" "$2" "$3" "$dir"
    check "$1 at $2: the safetensors package reads the model" "$venv/bin/python" "$here/check_file.py" "$dir/model.pith"
    if [ $torch = yes ]; then
        case $1 in mobilenet-v1 | efnet-lite0) kinks=kinks ;; *) kinks= ;; esac
        check "$1 at $2: the step repeated in double" "$build/tests/interop/step_double" "$1" "$2" "$3" "$dir"
        check "$1 at $2: PyTorch gets the same loss, logits and gradients" "$venv/bin/python" "$here/check_step.py" "$dir" $kinks
    else
        skipped=$((skipped + 1)); echo "skipped  $1 at $2: PyTorch is not installed (INTEROP_TORCH=1 installs it)"
    fi
done

# timm's networks: weights both ways, logits of 100 images, the gradients of a step.
timm_pairs="efnet-b0/efficientnet_b0/torch efnet-b0/tf_efficientnet_b0/tf efnet-lite0/efficientnet_lite0/torch
    efnet-lite0/tf_efficientnet_lite0/tf mobilenet-v1/mobilenetv1_100/torch mobilenet-v2/mobilenetv2_100/torch"
if [ $torch = yes ] && "$venv/bin/python" -c "import timm" 2>/dev/null; then
    for pair in $timm_pairs; do
        ours=${pair%%/*} style=${pair##*/} theirs=${pair#*/}
        theirs=${theirs%/*}
        file=$work/$theirs.safetensors
        check "$theirs: timm makes it" "$venv/bin/python" "$here/check_timm.py" make "$theirs" 1000 "$file"
        case $theirs in *efficientnet_b0) kinks= ;; *) kinks=kinks ;; esac # all others have ReLU6
        for n in 100 16; do # 16: a step's gradients too
            dir=$work/$theirs-$n
            mkdir "$dir"
            check "$theirs: $ours reads it, $n images" "$build/tests/interop/dump_step" "$ours" 96 $n "$dir" "$file" "$style" 1000
            check "$theirs: timm agrees with $ours on $n images" "$venv/bin/python" "$here/check_timm.py" check "$theirs" 1000 "$dir" $kinks
            [ $n = 16 ] || continue
            check "$theirs: the step repeated in double" "$build/tests/interop/step_double" "$ours" 96 $n "$dir" "$style" 1000
            check "$theirs: PyTorch repeats it in double" "$venv/bin/python" "$here/check_step.py" "$dir" $kinks
        done
    done
else
    skipped=$((skipped + 1)); echo "skipped  pretrained weights: PyTorch and timm are not installed (INTEROP_TORCH=1 installs them)"
fi
check "calibration: the ranges that NumPy finds" "$venv/bin/python" "$here/check_calib.py" "$build/tests/interop/dump_calib"

# Every op and every family as .tflite, in LiteRT. The versions are those the checks were written with.
mkdir "$work/nets"
check "networks of all ops written in all formats" "$build/tests/interop/dump_nets" "$work/nets"
if have tflite,flatbuffers,ai_edge_litert flatbuffers==25.12.19 tflite==2.18.0 ai-edge-litert==2.3.0; then
    check "LiteRT runs our .tflite files" "$venv/bin/python" "$here/check_tflite.py" "$work/nets"
fi
if have onnx,onnxruntime onnx==1.23.2 onnxruntime==1.32.0; then
    check "ONNX Runtime runs our .onnx files" "$venv/bin/python" "$here/check_onnx.py" "$work/nets"
fi

# The integer ops, a million outputs each, in TFLite Micro: not one byte may differ. The version is the one that the contract
# was read from; its builds leave PyPI after a while, and then the newest one is the witness.
tflm=0.dev20261023182759
mkdir "$work/int8"
mkdir "$work/int8-tflite"
check "integer ops: random cases written as .tflite" "$build/tests/interop/dump_int8_tflite" "$work/int8-tflite" 20
if have onnx,onnxruntime onnx==1.23.2 onnxruntime==1.32.0; then
    check "integer ops: ONNX Runtime is a step off at most from our .onnx files" "$venv/bin/python" "$here/check_onnx_int8.py" "$work/int8-tflite"
fi
check "integer ops: random cases written" "$build/tests/interop/dump_int8" "$work/int8" "${INTEROP_OUTPUTS:-1000000}"
if "$venv/bin/python" -c "import tflite_micro" 2>/dev/null || "$venv/bin/pip" install -q "tflite-micro==$tflm" >"$work/log" 2>&1; then
    :
else
    echo "         tflite-micro $tflm is gone from PyPI; the newest one is taken"
fi
if have tflite,flatbuffers,tflite_micro flatbuffers==25.12.19 tflite==2.18.0 tflite-micro; then
    check "integer ops: TFLite Micro gives the same bytes" "$venv/bin/python" "$here/check_int8.py" "$work/int8" tflm
    cat "$work/log"
    check "integer ops: TFLite Micro gives the same bytes from our .tflite files" "$venv/bin/python" "$here/check_tflite_int8.py" "$work/int8-tflite"
fi
if have tflite,flatbuffers,ai_edge_litert flatbuffers==25.12.19 tflite==2.18.0 ai-edge-litert==2.3.0; then
    check "integer ops: LiteRT differs only where it is known to" "$venv/bin/python" "$here/check_int8.py" "$work/int8" litert
    grep known "$work/log"
fi
# Trained networks in every format and runtime. Photographs and networks trained on them are nobody's to publish: with
# PITH_REAL_DATA (a folder with cats-dogs/{train,val}) and INTEROP_MODELS (a folder with efnet-nano.pith, efnet-micro.pith,
# mobilenet-v1.pith and resnet8.pith) INTEROP_PHOTOS of them are compared (default 1000); else drawn pictures, and networks
# that train on such for seconds, of which only what does not hang on their classes is judged.
# shellcheck disable=SC2086 # an option or none
photographs() {
    set --
    for net in efnet-nano efnet-micro mobilenet-v1 resnet8; do
        set -- "$@" "$net=$models/$net.pith"
    done
    "$venv/bin/python" "$here/check_photos.py" "$build" "$data" "$count" "$work/photos" ${INTEROP_JSON:+--json "$INTEROP_JSON"} $hardly "$@"
}
drawn_network() { # NAME SIZE OPTIONS...
    drawn=$1 size=$2
    shift 2
    "$build/pith" train --data "$work/drawn-more" --model "$drawn" --image-size "$size" --batch 16 --epochs 2 --ema 0.9 --out "$work/run-$drawn" -q "$@" &&
        cp "$work/run-$drawn/last.pith" "$work/$drawn.pith"
}
if have tflite_micro,ai_edge_litert,onnx,onnxruntime tflite-micro ai-edge-litert==2.3.0 onnx==1.23.2 onnxruntime==1.32.0; then
    data=${PITH_REAL_DATA:-}/cats-dogs models=${INTEROP_MODELS:-/nowhere} count=${INTEROP_PHOTOS:-1000} hardly=
    if [ ! -d "$data/val" ] || [ ! -f "$models/efnet-nano.pith" ]; then
        skipped=$((skipped + 1)); echo "skipped  photographs: PITH_REAL_DATA and INTEROP_MODELS do not both name some; drawn pictures instead"
        data=$work/drawn-more models=$work count=20 hardly=--hardly-trained
        check "pictures drawn" "$build/pith-draw" -o "$data" --train 150 --val 20 --size 96 --quiet
        check "efnet-nano trained on them" drawn_network efnet-nano 96
        check "efnet-micro trained on them" drawn_network efnet-micro 96
        check "mobilenet-v1 0.25 trained on them" drawn_network mobilenet-v1 96 --width 0.25
        check "resnet8 trained on them" drawn_network resnet8 32
    fi
    check "networks in TFLite Micro, LiteRT and ONNX Runtime: $count pictures" photographs
    grep 'same class' "$work/log"
    make -s -C "$build" bench/bench_rt >"$work/log" 2>&1 &&
        check "libpith-rt takes less than 50 KB of heap beyond arena and map" "$build/bench/bench_rt" 50000 \
            "$work/photos/efnet-nano/int8.tflite" "$work/photos/efnet-micro/int8.tflite" "$work/photos/mobilenet-v1/int8.tflite" \
            "$work/photos/resnet8/int8.tflite"
    cat "$work/log"
fi
# The odd files' pixels, in another decoder. Its own test writes them: `make check` has built it.
if [ ! -x "$build/tests/test_odd" ]; then
    skipped=$((skipped + 1)); echo "skipped  odd files: make check has not built tests/test_odd"
elif have PIL pillow; then
    mkdir "$work/odd"
    check "odd files written out" env ODD_DUMP="$work/odd" "$build/tests/test_odd"
    check "Pillow sees the same pictures in the odd files" "$venv/bin/python" "$here/check_pictures.py" "$work/odd"
fi
# TensorBoard's reader on a training's event file.
if have tensorboard tensorboard; then
    XDG_CACHE_HOME=$work "$build/pith-draw" -o "$work/events-set" --train 96 --val 16 --size 32 --quiet
    check "a training with --tensorboard" env XDG_CACHE_HOME="$work" "$build/pith" train --data "$work/events-set" --model resnet8 \
        --image-size 32 --batch 4 --epochs 3 --tensorboard --out "$work/events" -q
    check "TensorBoard reads what the log says" "$venv/bin/python" "$here/check_events.py" "$work/events"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
