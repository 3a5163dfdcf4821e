"""Download data sets from their official addresses: resumed after an interruption, and checked.

Incoming data are named ``NAME.part`` until their checksum is verified.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from growgan.core.errors import DataError
from growgan.core.files import sync_folder
from growgan.core.progress import MakeProgress, Silent

CHUNK_BYTES = 2**18
TIMEOUT_SECONDS = 60.0
ATTEMPTS = 5
"""Transfers attempted for a file that keeps being interrupted, as long as each brings something."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file at its official address; `md5` is its published checksum."""

    url: str
    md5: str

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]


def _list_idx(base: str, md5s: tuple[str, str, str, str]) -> tuple[Remote, ...]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return tuple(Remote(f"{base}{name}-ubyte.gz", md5) for name, md5 in zip(names, md5s))


_TORONTO = "https://www.cs.toronto.edu/~kriz/"
_HOUSENUMBERS = "http://ufldl.stanford.edu/housenumbers/"

DOWNLOADS: dict[str, tuple[Remote, ...]] = {
    "cifar10": (Remote(f"{_TORONTO}cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),),
    "cifar100": (Remote(f"{_TORONTO}cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),),
    # The authors' own page no longer responds; this is PyTorch's mirror.
    "mnist": _list_idx(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        (
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    ),
    "fashion-mnist": _list_idx(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
    "svhn": (
        Remote(f"{_HOUSENUMBERS}train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
        Remote(f"{_HOUSENUMBERS}test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
    ),
    "svhn-extra": (Remote(f"{_HOUSENUMBERS}extra_32x32.mat", "a93ce644f1a588dc4d68dda5feec44a7"),),
}


def download(name: str, folder: Path, progress: MakeProgress = Silent) -> list[Path]:
    """Download a data set's files into a folder, except those already there and intact; return their paths.

    Raises `DataError` if the name is unknown, the address cannot be reached, or what arrives is not what was published.
    """
    if name not in DOWNLOADS:
        raise DataError(f"{name}: no such download (choose from {', '.join(DOWNLOADS)})")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_fetch(remote, folder, progress) for remote in DOWNLOADS[name]]
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror})") from error


def _fetch(remote: Remote, folder: Path, progress: MakeProgress) -> Path:
    path, part = folder / remote.name, folder / f"{remote.name}.part"
    if path.is_file():
        if (found := _hash(path)) == remote.md5:
            return path
        raise DataError(f"{path}: exists, but is not the published file (MD5 {found}, not {remote.md5}): move it away")
    _transfer_all(remote, part, progress)
    found = _hash(part)
    if found != remote.md5:
        part.unlink()
        raise DataError(f"{remote.url}: the download is not the published file (MD5 {found}, not {remote.md5})")
    part.replace(path)
    sync_folder(folder)
    return path


def _transfer_all(remote: Remote, part: Path, progress: MakeProgress) -> None:
    """Transfer the rest of a file. Raises `DataError`, keeping what arrived, if it keeps being interrupted."""
    for _ in range(ATTEMPTS):
        had = _size(part)
        if _transfer(remote, part, progress):
            return
        if _size(part) <= had:
            break
    raise _unreachable(remote, part, "the transfer keeps breaking off")


def _transfer(remote: Remote, part: Path, progress: MakeProgress) -> bool:
    """Continue a file; say whether its end was reached. Raises `DataError` if the server cannot be reached at all."""
    start = _size(part)
    request = urllib.request.Request(remote.url, headers={"User-Agent": "growgan"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            # A server without range support sends everything from the start.
            start = start if answer.status == 206 else 0
            length = answer.headers.get("Content-Length")
            total = start + int(length) if length and length.isdigit() else None
            _receive(answer, part, start, total, remote.name, progress)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to send: the checksum decides
            return True
        raise DataError(f"{remote.url}: the server refused ({error.code} {error.reason})") from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        if _size(part) > start:
            return False
        raise _unreachable(remote, part, error) from error
    except urllib.error.URLError as error:
        raise _unreachable(remote, part, error.reason) from error
    return total is None or _size(part) >= total


def _receive(answer: Any, part: Path, start: int, total: int | None, name: str, progress: MakeProgress) -> None:
    megabyte = 10**6
    shown = None if total is None else total // megabyte
    try:
        with part.open("r+b" if start else "wb") as file, progress(shown, f"{name} (MB)") as bar:
            file.seek(start)
            done = 0
            while chunk := _read(answer):
                file.write(chunk)
                done += len(chunk)
                bar.advance((start + done) // megabyte - bar.done)
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise
        raise DataError(f"{part}: cannot be written ({error.strerror or error})") from error


def _read(answer: Any) -> bytes:
    """Return the next bytes; whatever ends a transfer, TLS and routing errors included, is a `ConnectionError`."""
    try:
        data: bytes = answer.read(CHUNK_BYTES)
    except OSError as error:
        raise ConnectionError(str(error)) from error
    return data


def _unreachable(remote: Remote, part: Path, reason: object) -> DataError:
    host = urllib.parse.urlsplit(remote.url).netloc
    return DataError(
        f"{host} cannot be reached ({reason}); rerun this command later to resume, or get {remote.url} elsewhere and"
        f" put it in {part.parent}"
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
