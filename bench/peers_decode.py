"""What Python's libraries need from a file's bytes to a picture with a short side of SIZE pixels, on one core, beside
bench_decode: Pillow with draft mode (scaled DCT) and bicubic reduction, OpenCV with its scaled reading and INTER_AREA.
Rounds alternate; each clock is the process's own. usage: peers_decode.py BENCH_DECODE DIR [SIZE [ROUNDS]]
Needs pillow and opencv-python-headless (what is missing is left out)."""
import io
import json
import pathlib
import statistics
import subprocess
import sys
import time

bench, directory = sys.argv[1:3]
size = int(sys.argv[3]) if len(sys.argv) > 3 else 96
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 7
files = [p.read_bytes() for p in sorted(pathlib.Path(directory).rglob("*")) if p.is_file()]


def target(w, h):
    side = min(w, h)
    goal = min(side, size)
    return (w * goal + side // 2) // side, (h * goal + side // 2) // side


peers = {}
try:
    from PIL import Image

    def pillow(data):
        im = Image.open(io.BytesIO(data))
        w, h = target(*im.size)
        im.draft("RGB", (w, h))
        return im.convert("RGB").resize((w, h), Image.Resampling.BICUBIC)

    peers["pillow"] = pillow
except ImportError:
    pass
try:
    import cv2
    import numpy as np

    cv2.setNumThreads(1)

    def opencv(data):
        raw = np.frombuffer(data, np.uint8)
        im = cv2.imdecode(raw, cv2.IMREAD_COLOR)
        w, h = target(im.shape[1], im.shape[0])
        return cv2.resize(im, (w, h), interpolation=cv2.INTER_AREA)

    def opencv_reduced(data):
        raw = np.frombuffer(data, np.uint8)
        im = cv2.imdecode(raw, cv2.IMREAD_REDUCED_COLOR_2)
        w, h = target(im.shape[1], im.shape[0])
        return cv2.resize(im, (w, h), interpolation=cv2.INTER_AREA)

    peers["opencv"] = opencv
    peers["opencv_half"] = opencv_reduced
except ImportError:
    pass

speed = {name: [] for name in ["pith", *peers]}
for r in range(rounds):
    out = subprocess.run([bench, directory, str(size), "3"], capture_output=True, text=True, check=True).stdout
    speed["pith"].append(json.loads(out)["img_per_s"])
    for name, decode in peers.items():
        start = time.process_time()
        for data in files:
            decode(data)
        speed[name].append(len(files) / (time.process_time() - start))
print(json.dumps({"files": len(files), "size": size, **{f"{n}_img_per_s": round(statistics.median(v)) for n, v in speed.items()}}))
