#!/bin/sh
# cli_export.sh: `pith quantize`, `qat` and `export` from the command line: every scheme, every format, and what each refuses,
# with its exit status, its words, and no file left behind. Runs in the build folder, on a drawn set and a network of one epoch.
suite=cli_export
. "${top_srcdir:-.}/tests/cli_help.sh"

works ./pith-draw -o "$dir/set" --train 24 --val 8 --size 32 --quiet
# shellcheck disable=SC2086 # options
works ./pith train --data "$dir/set" --model resnet8 --image-size 32 --batch 8 --epochs 1 --out "$dir/run" -q $threads
float=$dir/run/last.pith
for scheme in int8 float16 dynamic codebook; do
    # shellcheck disable=SC2086
    works ./pith quantize "$float" --data "$dir/set" --scheme $scheme -o "$dir/$scheme.pith" --no-eval -q $threads
done
# shellcheck disable=SC2086
works ./pith qat "$float" --data "$dir/set" --epochs 1 --batch 8 --out "$dir/qat" -q $threads

# Every format; the kind of file, and what its numbers show in it.
works ./pith export "$float" -o "$dir/a.tflite" -q
begins "$dir/a.tflite" 4 TFL3
works ./pith export "$float" -o "$dir/half.tflite" --numbers float16 -q
has "$dir/half.tflite" /float16
works ./pith export "$dir/int8.pith" -o "$dir/int8.tflite" --int8-io -q
has "$dir/int8.tflite" ', int8, written by pith'
works ./pith export "$dir/qat/last.pith" -f tflite -o "$dir/qat.bin" -q
has "$dir/qat.bin" ', int8, written by pith'
works ./pith export "$dir/dynamic.pith" -o "$dir/dynamic.tflite" -q
has "$dir/dynamic.tflite" /int8_weight
works ./pith export "$dir/float16.pith" -o "$dir/halves.tflite" --numbers float16 -q
works ./pith export "$dir/codebook.pith" -o "$dir/codebook.tflite" -q
works ./pith export "$float" -o "$dir/a.onnx" -q
works ./pith export "$dir/int8.pith" -o "$dir/int8.onnx" -q
has "$dir/int8.onnx" DequantizeLinear
works ./pith export "$dir/int8.pith" -o "$dir/int8io.onnx" --int8-io -q
has "$dir/int8io.onnx" :int8:zero
works ./pith export "$dir/codebook.pith" -o "$dir/codebook.onnx" -q
works ./pith export "$dir/int8.pith" -o "$dir/packed.c" --packed -q
has "$dir/packed.h" "packed in flash"
works ./pith export efnet-nano --image-size 32 -f safetensors -o "$dir/a.safetensors" -q

# Wrong use: status 2.
no=$dir/no.tflite
refuses 2 'OUT is needed' "$no" ./pith export "$float"
refuses 2 "packed is for --format c" "$no" ./pith export "$dir/int8.pith" -o "$no" --packed
refuses 2 "is no format" "$no" ./pith export "$float" -f pdf -o "$no"
refuses 2 "is no format" "$dir/no.xyz" ./pith export "$float" -o "$dir/no.xyz"
refuses 2 "are no numbers" "$no" ./pith export "$float" -o "$no" --numbers int7
refuses 2 "is not for safetensors" "$dir/no.safetensors" ./pith export "$float" -o "$dir/no.safetensors" --numbers int8
refuses 2 "is not for safetensors" "$dir/no.safetensors" ./pith export "$float" -o "$dir/no.safetensors" --int8-io
refuses 2 "not known" "$dir/no.pith" ./pith quantize "$float" --data "$dir/set" --scheme int9 -o "$dir/no.pith"
refuses 2 "not known" "$dir/no.pith" ./pith quantize "$float" --data "$dir/set" --calib best -o "$dir/no.pith"
refuses 2 "not known" "$dir/no.pith" ./pith quantize "$float" --data "$dir/set" --improve luck -o "$dir/no.pith"
refuses 2 . "$dir/no.pith" ./pith quantize "$float" --data "$dir/set" --bits-weights 9 -o "$dir/no.pith"
refuses 2 . "$dir/no" ./pith qat "$float" --data "$dir/set" --bits-weights 1 --out "$dir/no"

# What a model or a format cannot: status 1, and its name.
refuses 1 'is not quantized' "$no" ./pith export "$float" -o "$no" --numbers int8
refuses 1 'scheme dynamic' "$no" ./pith export "$float" -o "$no" --numbers dynamic
refuses 1 'int8 only where' "$no" ./pith export "$float" -o "$no" --int8-io
refuses 1 'int8 numbers only' "$no" ./pith export "$dir/int8.pith" -o "$no" --numbers float32
refuses 1 'op dynamic_quant' "$no" ./pith export "$dir/dynamic.pith" -o "$no" --numbers float32
refuses 1 'float16 weights' "$dir/no.onnx" ./pith export "$float" -o "$dir/no.onnx" --numbers float16
refuses 1 'int8 weights and float' "$dir/no.onnx" ./pith export "$dir/dynamic.pith" -o "$dir/no.onnx"
refuses 1 'would be written in float32' "$dir/no.onnx" ./pith export "$float" -o "$dir/no.onnx" --int8-io
refuses 1 'no/such' "$dir/no/such/x.tflite" ./pith export "$float" -o "$dir/no/such/x.tflite"
refuses 1 'cannot be opened' "$no" ./pith export "$dir/nothing.pith" -o "$no"
refuses 1 . "$no" ./pith export "$dir/a.tflite.broken" -o "$no"
refuses 1 'quantized' "$dir/no.pith" ./pith quantize "$dir/int8.pith" --data "$dir/set" -o "$dir/no.pith"
refuses 1 'quantized' "$dir/no" ./pith qat "$dir/int8.pith" --data "$dir/set" --out "$dir/no"
refuses 1 . "$dir/no.pith" ./pith quantize "$float" --data "$dir/nowhere" -o "$dir/no.pith"

finish
