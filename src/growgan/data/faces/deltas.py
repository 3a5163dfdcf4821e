"""The released deltas of CelebA-HQ, which are added to processed pictures of CelebA to obtain CelebA-HQ's.

The layout is the release's: image_list.txt, a header line and a line per picture with idx, orig_idx, orig_file,
proc_md5, final_md5 (and others); deltasNNNNN.zip, each with a thousand files deltaNNNNN.dat, where NNNNN is an idx, in
the zip's name the first. A delta is uint8 [3, 1024, 1024], compressed with bz2 and encrypted with Fernet under a key
derived from the original JPEG: without CelebA there is no CelebA-HQ.
"""

from __future__ import annotations

import base64
import bz2
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import DataError
from growgan.data.pictures import Rejected

Pixels = NDArray[np.uint8]

IMAGE_LIST = "image_list.txt"
COLUMNS = ("idx", "orig_file", "proc_md5", "final_md5")
PER_ZIP = 1000
ITERATIONS = 100_000
KEY_BYTES = 32
NEAR = 16
"""Levels by which a processed picture may be off."""
INSTALL = "pip install cryptography"


@dataclass(frozen=True, slots=True)
class Target:
    """A picture of CelebA-HQ: its number, the file of CelebA it is made from, MD5 before and after the delta."""

    idx: int
    orig_file: str
    proc_md5: str
    final_md5: str


def read_image_list(folder: Path) -> list[Target]:
    """Read image_list.txt. Raises `DataError` naming the line that is wrong."""
    path = folder / IMAGE_LIST
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not the release's list") from error
    head = lines[0].split() if lines else []
    if not set(COLUMNS) <= set(head):
        raise DataError(f"{path}: the first line must name the columns, including {', '.join(COLUMNS)}")
    places = [head.index(column) for column in COLUMNS]
    targets = []
    for number, line in enumerate(lines[1:], 2):
        words = line.split()
        if not words:
            continue
        if len(words) < len(head) or not words[places[0]].isdecimal():
            raise DataError(f"{path}: line {number}: must have {len(head)} columns and a number as idx")
        idx, *rest = (words[place] for place in places)
        targets.append(Target(int(idx), *rest))
    if not targets:
        raise DataError(f"{path}: lists no picture")
    return targets


def hash_list(folder: Path) -> str:
    """Return a hex digest of image_list.txt."""
    return hashlib.blake2b((folder / IMAGE_LIST).read_bytes(), digest_size=16).hexdigest()


def read_delta(folder: Path, target: Target, original: bytes, side: int) -> Pixels:
    """Return a delta, uint8 [3, side, side]. original: the bytes of CelebA's JPEG. Raises `Rejected` without one."""
    path = folder / f"deltas{target.idx - target.idx % PER_ZIP:05d}.zip"
    try:
        with zipfile.ZipFile(path) as archive:
            sealed = archive.read(f"delta{target.idx:05d}.dat")
    except FileNotFoundError as error:
        raise Rejected(f"{path.name} is missing") from error
    except KeyError as error:
        raise Rejected(f"{path.name} does not hold its delta") from error
    except (OSError, zipfile.BadZipFile) as error:
        raise Rejected(f"{path.name} is damaged") from error
    try:
        data = bz2.decompress(unseal(sealed, original, target.orig_file))
    except (OSError, ValueError) as error:
        raise Rejected(f"its delta is damaged ({error})") from error
    if len(data) != 3 * side * side:
        raise Rejected(f"its delta has {len(data)} bytes, not {3 * side * side}")
    return np.frombuffer(data, np.uint8).reshape(3, side, side)


def unseal(sealed: bytes, original: bytes, name: str) -> bytes:
    """Decrypt a delta with the bytes of its original JPEG. Raises `Rejected` if these differ from the release's."""
    fernet = load_fernet()
    derived = hashlib.pbkdf2_hmac("sha256", original, name.encode("ascii", "replace"), ITERATIONS, KEY_BYTES)
    try:
        plain: bytes = fernet.Fernet(base64.urlsafe_b64encode(derived)).decrypt(sealed)
    except fernet.InvalidToken as error:
        raise Rejected("does not decrypt its delta: not the JPEG the release was made from") from error
    return plain


def load_fernet() -> Any:
    """Return the module `cryptography.fernet`. Raises `DataError` if it is not installed."""
    try:
        from cryptography import fernet
    except ImportError as error:
        raise DataError(f"the deltas are encrypted, which needs the package cryptography: {INSTALL}") from error
    return fernet


def add(processed: Pixels, delta: Pixels) -> Pixels:
    """Return the picture: the sum modulo 256, as in the release."""
    return processed + delta


def add_nearly(processed: Pixels, delta: Pixels) -> Pixels:
    """Return the picture where `processed` is a few levels off, as other versions of Pillow or libjpeg make it.

    A delta stands for two differences, d and d - 256. Where both lead to a level in or near 0..255, which is where the
    sum modulo 256 would turn white into black, the smaller one is taken, and the level is clipped to 0..255.
    """
    up = processed.astype(np.int16) + delta
    down = up - 256
    beyond_up, beyond_down = up - 255, -down
    both = (beyond_up <= NEAR) & (beyond_down <= NEAR)
    take_down = np.where(both, delta > 128, beyond_up > beyond_down)
    return np.clip(np.where(take_down, down, up), 0, 255).astype(np.uint8)


def md5_of(pixels: Pixels) -> str:
    """Return the MD5 of uint8 [3, H, W], hex, as in image_list.txt."""
    return hashlib.md5(np.ascontiguousarray(pixels).tobytes(), usedforsecurity=False).hexdigest()
