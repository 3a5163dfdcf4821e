"""Find the weights of the face detector, which are not in this package: three files of facenet-pytorch 2.6.0 (MIT).

They are looked for in a given folder or in the installed package, which is never imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from growgan.core.errors import ModelError

INSTALL = "pip install --no-deps facenet-pytorch==2.6.0"
MODULE = "facenet_pytorch"
FOLDER = "data"

SHA256 = {
    "pnet.pt": "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
    "rnet.pt": "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
    "onet.pt": "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
}
"""File -> hash in the package; files in a given folder may differ."""

Weights = dict[str, Tensor]


def load_weights(given: Path | None = None) -> tuple[Weights, Weights, Weights]:
    """Return the weights of the three networks, first to last, float32. Raises `ModelError` with a one-line message."""
    folder = given or installed_folder()
    if folder is None:
        raise ModelError(f"the face detector's weights are missing: install them with `{INSTALL}` (2 MB)")
    pnet, rnet, onet = (_load(folder / name, None if given else digest) for name, digest in SHA256.items())
    return pnet, rnet, onet


def hash_weights(*networks: Weights) -> str:
    """Return a hex digest of the networks' weights."""
    digest = hashlib.sha256()
    for weights in networks:
        for name, tensor in sorted(weights.items()):
            digest.update(f"{name} {list(tensor.shape)}".encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def installed_folder() -> Path | None:
    """Return the folder with the files in the installed package; None if it is not installed."""
    spec = importlib.util.find_spec(MODULE)
    places = spec.submodule_search_locations if spec is not None else None
    return Path(places[0]) / FOLDER if places else None


def _load(path: Path, digest: str | None) -> Weights:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); install it with `{INSTALL}`") from error
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        raise ModelError(f"{path}: not the file of facenet-pytorch 2.6.0; install it with `{INSTALL}`")
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.float() for name, tensor in found.items()}
    except Exception as error:
        raise ModelError(f"{path}: holds no network weights ({type(error).__name__})") from error
