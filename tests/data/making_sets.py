"""Small sets in the formats of others, written with their own libraries, and what they hold."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

Pixels = np.ndarray


def make_pixels(count: int, size: int = 32, channels: int = 3, seed: int = 0) -> Pixels:
    """Smooth pictures of which no two are equal: uint8 [N, C, S, S]."""
    random = np.random.RandomState(seed)
    coarse = random.randint(0, 256, (count, channels, 4, 4)).astype(np.float32)
    return np.kron(coarse, np.ones((1, 1, size // 4, size // 4), np.float32)).astype(np.uint8)


def encode(pixels: Pixels, format: str = "PNG", **options: object) -> bytes:
    """One picture [C, H, W] as a file."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    image.save(buffer, format, **options)
    return buffer.getvalue()


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def write_idx(path: Path, values: np.ndarray) -> Path:
    head = bytes([0, 0, 8, values.ndim]) + b"".join(edge.to_bytes(4, "big") for edge in values.shape)
    data = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_mnist(folder: Path, pixels: Pixels, labels: np.ndarray, prefix: str = "train", suffix: str = ".gz") -> Path:
    """Pictures [N, 28, 28]."""
    folder.mkdir(exist_ok=True)
    write_idx(folder / f"{prefix}-images-idx3-ubyte{suffix}", pixels)
    write_idx(folder / f"{prefix}-labels-idx1-ubyte{suffix}", labels)
    return folder


def cifar_files(pixels: Pixels, labels: list[int], protocol: int = 2) -> dict[str, bytes]:
    """CIFAR-10's files, of 5 equal training batches and a test batch of the same pictures turned round."""
    flat = pixels.reshape(len(pixels), -1)
    files = {}
    for number, (part, classes) in enumerate(zip(np.split(flat, 5), np.split(np.array(labels), 5)), 1):
        content = {b"batch_label": b"one", b"labels": classes.tolist(), b"data": part, b"filenames": [b"a.png"]}
        files[f"data_batch_{number}"] = pickle.dumps(content, protocol)
    files["test_batch"] = pickle.dumps({b"labels": labels, b"data": flat[::-1].copy()}, protocol)
    names = [f"class {number}" for number in range(10)]
    files["batches.meta"] = pickle.dumps({b"label_names": [name.encode() for name in names]}, protocol)
    return files
