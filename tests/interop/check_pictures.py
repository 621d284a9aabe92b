"""Compares the odd files' pixels with Pillow's: what tests/test_odd wrote into DIR with ODD_DUMP=DIR. JPEG decoders may
differ by how they enlarge the colours; the other formats leave no freedom. usage: check_pictures.py DIR"""
import pathlib
import sys

import numpy as np
from PIL import Image, ImageFile, ImageOps

ImageFile.LOAD_TRUNCATED_IMAGES = False


def decode(path):
    """RGB on white, upright, 8 bits."""
    with Image.open(path) as im:
        im = ImageOps.exif_transpose(im)
        if im.mode.startswith("I"):  # 16-bit grey: Pillow would cut it off at 255
            grey = (np.asarray(im).astype(np.int64) >> 8).astype(np.uint8)
            return np.stack([grey] * 3, -1), im.format
        if im.mode in ("RGBA", "LA", "PA") or "transparency" in im.info:
            im = im.convert("RGBA")
            im = Image.alpha_composite(Image.new("RGBA", im.size, "white"), im)
        return np.asarray(im.convert("RGB")), im.format


compared, refused, wrong, worst = 0, [], [], 0.0
for ours in sorted(pathlib.Path(sys.argv[1]).glob("*.jpg.ppm")):
    path = ours.with_suffix("")
    if not path.exists():  # other decoders may see it otherwise
        continue
    a = np.asarray(Image.open(ours)).astype(int)
    try:
        b, _ = decode(path)
    except Exception as e:
        refused.append(f"{path.name}: {e}")
        continue
    if a.shape != b.shape:
        wrong.append(f"{path.name}: {a.shape[1]}x{a.shape[0]}, Pillow {b.shape[1]}x{b.shape[0]}")
        continue
    error = float(np.abs(a - b).mean())
    jpeg = path.read_bytes()[:2] == b"\xff\xd8"
    worst = max(worst, error if jpeg else 0)
    compared += 1
    if error > (1.5 if jpeg else 0.5):
        wrong.append(f"{path.name}: mean difference {error:.2f}")
print(f"{compared} pictures as Pillow {Image.__version__} sees them (JPEG: mean difference at most {worst:.2f}); "
      f"{len(refused)} that Pillow refuses")
print(*refused, *wrong, sep="\n")
assert compared >= 120 and not wrong and len(refused) <= 20
