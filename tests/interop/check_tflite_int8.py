"""TFLite Micro's reference kernels run the int8 .tflite files that pith wrote: not one byte of a result may differ from our
integer engine's. usage: check_tflite_int8.py DIR (as dump_int8_tflite wrote it)
"""
import sys

import numpy as np
from tflite_micro import runtime


def main(folder):
    total, bad, where = {}, {}, {}
    for line in open(folder + "/cases.txt"):
        name, n, n_in = line.split()
        n, n_in, kind = int(n), int(n_in), name.rsplit("-", 1)[0]
        it = runtime.Interpreter.from_bytes(open(f"{folder}/{name}.tflite", "rb").read(), arena_size=16 << 20)
        xs = []
        for i in range(n_in):
            d = it.get_input_details(i)
            xs.append(np.fromfile(f"{folder}/{name}.x{i}", d["dtype"]).reshape([n] + list(d["shape"])))
        d = it.get_output_details(0)
        want = np.fromfile(f"{folder}/{name}.y", d["dtype"]).reshape([n] + list(d["shape"]))
        for s in range(n):
            for i in range(n_in):
                it.set_input(xs[i][s], i)
            it.invoke()
            got = np.asarray(it.get_output(0)).reshape(want[s].shape)
            diff = int((got.view(np.uint8) != want[s].view(np.uint8)).sum())
            total[kind] = total.get(kind, 0) + want[s].size
            bad[kind] = bad.get(kind, 0) + diff
            if diff:
                where[kind] = name
    for kind in total:
        print(f"{kind:12} {total[kind]:8} outputs {bad[kind]:6} different bytes {where.get(kind, '')}")
    return sum(bad.values()) != 0 or not total


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
