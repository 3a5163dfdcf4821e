"""Make the data set that is shipped inside the package: a balanced part of Fashion-MNIST as a finished growgan set.

    python scripts/make_demo_data.py FOLDER [OUT]

FOLDER holds train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz (https://github.com/zalandoresearch/fashion-mnist,
in Debian the package dataset-fashion-mnist). The same files give the same bytes, as long as zlib packs alike.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASS_NAMES = [
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
]
PER_CLASS = 310  # the most that fits the limit
BORDER = 2  # 28 pixels to 32
MIB_LIMIT = 2.0
OUT = Path(__file__).parents[1] / "src/growgan/demo/fashion.zip"
TIMESTAMP = (2017, 8, 25, 0, 0, 0)  # any fixed one


def read_idx(path: Path, header: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the bytes after an IDX file's header."""
    return np.frombuffer(gzip.decompress(path.read_bytes())[header:], np.uint8)


def smallest_png(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """Encode a grey picture [S, S] with whichever of zlib's strategies packs it best."""
    packed = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_RLE):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "png", optimize=True, compress_level=9, compress_type=strategy)
        packed.append(stream.getvalue())
    return min(packed, key=len)


def main() -> None:
    """Write the zip and say how large it is."""
    parser = argparse.ArgumentParser(description="Write the demo data set from Fashion-MNIST's training files.")
    parser.add_argument("folder", type=Path, help="holds the two train-*.gz files")
    parser.add_argument("out", type=Path, nargs="?", default=OUT)
    arguments = parser.parse_args()
    images = read_idx(arguments.folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    labels = read_idx(arguments.folder / "train-labels-idx1-ubyte.gz", 8)

    # Column c: the first pictures of class c; row by row the classes take turns, so any beginning of it is balanced.
    chosen = np.stack([np.flatnonzero(labels == c)[:PER_CLASS] for c in range(len(CLASS_NAMES))], axis=1).ravel()
    names = [f"{k // 1000:05d}/img{k:08d}.png" for k in range(len(chosen))]
    table = {
        "labels": [[name, int(labels[i])] for name, i in zip(names, chosen)],
        "class_names": CLASS_NAMES,
    }
    with zipfile.ZipFile(arguments.out, "w", zipfile.ZIP_STORED) as archive:
        for name, i in zip(names, chosen):
            archive.writestr(zipfile.ZipInfo(name, TIMESTAMP), smallest_png(np.pad(images[i], BORDER)))
        archive.writestr(zipfile.ZipInfo("dataset.json", TIMESTAMP), json.dumps(table, separators=(",", ":")))
    size = arguments.out.stat().st_size / 2**20
    print(f"{arguments.out}: {len(chosen)} pictures, {size:.2f} MiB")
    if size > MIB_LIMIT:
        raise SystemExit(f"more than {MIB_LIMIT} MiB: lower PER_CLASS")


if __name__ == "__main__":
    main()
