#!/bin/sh
# compare_torch.sh: pith against PyTorch and ONNX Runtime on the same networks, by turns (bench/compare.py says how).
# usage: bench/compare_torch.sh PITH RESULT.json [rounds=N] [seconds=S] [ROW...]     (PITH: the command)
# The engines come from PyPI into a virtual environment beside the result, or PITH_BENCH_VENV names one that has them.
set -eu
[ $# -ge 2 ] || { sed -n 2,4p "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
venv=${PITH_BENCH_VENV:-$(dirname "$2")/bench-venv}
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv" || { echo "compare: python3 -m venv does not work here (python3-venv)" >&2; exit 1; }
fi
if ! "$venv/bin/python" -c "import torch, safetensors, onnxruntime, onnx" 2>/dev/null; then
    "$venv/bin/pip" install -q numpy safetensors torch onnx onnxruntime ||
        { echo "compare: PyTorch cannot be installed from PyPI; set PITH_BENCH_VENV" >&2; exit 1; }
fi
exec "$venv/bin/python" "$here/compare.py" "$@"
