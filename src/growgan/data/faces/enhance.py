"""Networks from files that clean or enlarge pictures before they are framed: the first step of appendix C.

The paper used an autoencoder against JPEG artefacts and an adversarially trained super-resolution network of factor 4,
and released neither. Any network will do that takes RGB [1, 3, H, W] in 0..1, of any size, and returns the same, or
enlarged by an integer factor: a TorchScript file, or ONNX with the package onnxruntime.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from growgan.core.errors import ModelError

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]

TILE = 256
OVERLAP = 32
"""Pixels added to each tile on every side; pictures are processed in tiles to bound the memory."""
PROBE = 64
INSTALL = "pip install onnxruntime"


class Enhancer:
    """Artefact removal on every picture, then super-resolution, once, on those that have to be enlarged."""

    def __init__(self, artefacts: Path | None = None, superres: Path | None = None) -> None:
        """Raise `ModelError` for a file that does not hold such a network."""
        self._clean = None if artefacts is None else _Enlarger(artefacts)
        self._enlarge = None if superres is None else _Enlarger(superres)
        if self._clean is not None and self._clean.factor != 1:
            raise ModelError(f"{artefacts}: enlarges pictures, which an artefact remover must not")
        if self._enlarge is not None and self._enlarge.factor < 2:
            raise ModelError(f"{superres}: does not enlarge pictures, so it is not a super-resolution model")

    def describe(self) -> str:
        """Return an identifier of the pair of networks: their files' hashes."""
        return " ".join("-" if part is None else part.digest for part in (self._clean, self._enlarge))

    def __call__(self, image: Image.Image, zoom: float) -> Image.Image:
        """Return an RGB picture, cleaned and, if `zoom` is more than 1, enlarged by the network's factor."""
        if self._clean is not None:
            image = self._clean(image)
        if self._enlarge is not None and zoom > 1:
            image = self._enlarge(image)
        return image


class _Enlarger:
    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ModelError(f"{path}: no such file")
        self._path = path
        self.digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self._network = _load_onnx(path) if path.suffix.lower() == ".onnx" else _load_torchscript(path)
        shape = self._run(np.full((1, 3, PROBE, PROBE), 0.5, np.float32)).shape
        self.factor = shape[-1] // PROBE
        if self.factor < 1 or shape != (1, 3, PROBE * self.factor, PROBE * self.factor):
            raise ModelError(f"{path}: turns [1, 3, {PROBE}, {PROBE}] into {list(shape)}, not a scaled RGB picture")

    def __call__(self, image: Image.Image) -> Image.Image:
        pixels = np.asarray(image, np.float32).transpose(2, 0, 1)[None] / np.float32(255)
        height, width = pixels.shape[2:]
        factor = self.factor
        out = np.empty((3, height * factor, width * factor), np.float32)
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                bottom, right = min(top + TILE, height), min(left + TILE, width)
                above, before = max(top - OVERLAP, 0), max(left - OVERLAP, 0)
                part = self._run(pixels[:, :, above : bottom + OVERLAP, before : right + OVERLAP])[0]
                y, x = (top - above) * factor, (left - before) * factor
                rows, columns = (bottom - top) * factor, (right - left) * factor
                out[:, top * factor : bottom * factor, left * factor : right * factor] = part[
                    :, y : y + rows, x : x + columns
                ]
        return Image.fromarray(np.clip(np.rint(out * 255), 0, 255).astype(np.uint8).transpose(1, 2, 0).copy())

    def _run(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            return self._network(pixels)
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ModelError(f"{self._path}: failed on pictures {list(pixels.shape)} ({lines[-1]})") from error


def _load_torchscript(path: Path) -> Network:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: neither TorchScript nor an .onnx file") from error

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            result: NDArray[np.float32] = module(torch.from_numpy(np.ascontiguousarray(pixels))).float().numpy()
        return result

    return run


def _load_onnx(path: Path) -> Network:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(f"{path}: ONNX needs the package onnxruntime: {INSTALL}") from error
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the other cores are at work on other pictures
    try:
        session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"{path}: not an ONNX model ({type(error).__name__})") from error
    name = session.get_inputs()[0].name

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = session.run(None, {name: pixels})[0]
        return result

    return run
