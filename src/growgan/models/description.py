"""The description in a model file's header, whatever the file format. Reading it needs no torch.

Metadata: ``growgan.format``, ``.spec``, ``.training``, ``.measures`` and ``.card``, each JSON.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from growgan.core.config import NetworkSpec
from growgan.core.errors import ConfigError, ModelError
from growgan.core.fields import from_json, to_json
from growgan.core.geometry import is_size

FORMAT = "1"
OTHERS = {
    "growgan.projected": "holds photographs from growgan project: pass it as --latents",
    "growgan.directions": "holds directions from growgan directions: pass it as --directions",
}
"""What growgan's other files hold, by a key of their metadata."""


PICTURES = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n", "GIF": b"GIF8"}
"""First bytes of files that may be mistaken for a model's."""

Stamp = tuple[int, int, int]


class Changed(ModelError):
    """A model file that is not the one that was opened."""


def stamp_of(found: os.stat_result) -> Stamp:
    """Identity of a file, which changes when another one replaces it: inode, size and modification time."""
    return found.st_ino, found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class DescribedFile:
    """A file with a model in it, and its description."""

    path: Path
    spec: NetworkSpec
    training: dict[str, Any] = field(default_factory=dict)
    """How far it was trained: nimg, resolution, alpha, the label distribution, and more for the reader."""
    measures: dict[str, Any] = field(default_factory=dict)
    """Results, by measure."""
    card: dict[str, Any] = field(default_factory=dict)
    """Licence, data and remarks."""
    stamp: Stamp | None = field(default=None, compare=False, repr=False)
    """Identity of the file when it was opened: a run may replace it."""

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the file. Raises `Changed`."""
        with self.path.open("rb") as file:
            self.check_same(os.fstat(file.fileno()))
            return hashlib.file_digest(file, "sha256").hexdigest()

    def check_same(self, found: os.stat_result) -> None:
        """Raise `Changed` if `found` is not the file that was opened."""
        if self.stamp is not None and stamp_of(found) != self.stamp:
            raise Changed(f"{self.path} has changed since it was opened: reopen it")

    @property
    def resolution(self) -> int:
        """Resolution that the networks have reached, in pixels per side."""
        return int(self.training.get("resolution", self.spec.resolution))

    @property
    def alpha(self) -> float:
        """Weight of the newest layers: below 1 in the middle of a fade."""
        return float(self.training.get("alpha", 1.0))

    def describe(self) -> str:
        """Training progress in a few words."""
        size = f"{self.resolution}x{self.resolution}"
        fade = f", alpha {self.alpha:.2f}" if self.alpha < 1 else ""
        nimg = self.training.get("nimg")  # rarely recorded in other programs' files
        before = " on top of its parent" if self.training.get("parent") else ""
        return f"{size}{fade}" + ("" if nimg is None else f", trained for {nimg / 1000:g} kimg{before}")


def unreadable(path: Path, error: Exception) -> ModelError:
    """The error for a file that safetensors cannot read."""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(16)
        if kind := next((kind for kind, begins in PICTURES.items() if head.startswith(begins)), None):
            return ModelError(f"{path} is a picture ({kind}), not a model")
    return ModelError(f"{path} is not a complete .safetensors file: {error}")


def to_metadata(
    spec: NetworkSpec, training: dict[str, Any], measures: dict[str, Any] | None, card: dict[str, Any] | None
) -> dict[str, str]:
    """The header's metadata."""
    return {
        "growgan.format": FORMAT,
        "growgan.spec": json.dumps(to_json(spec)),
        "growgan.training": json.dumps(training),
        "growgan.measures": json.dumps(measures or {}),
        "growgan.card": json.dumps(card or {}),
    }


def read_metadata(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a `DescribedFile` from the metadata in the header of `path`.

    Raises `ModelError` with one line for a file of another kind, a format that is too new, or an invalid description.
    """
    if "growgan.spec" not in metadata:
        found = next((what for key, what in OTHERS.items() if key in metadata), None)
        raise ModelError(f"{path} " + (found or f"is a {path.suffix or 'nameless'} file, but not a growgan model"))
    if metadata.get("growgan.format") != FORMAT:
        raise ModelError(f"{path} has format {metadata.get('growgan.format')!r}; this version reads {FORMAT}")
    try:
        parts = {key: json.loads(metadata.get(f"growgan.{key}", "{}")) for key in ("training", "measures", "card")}
        spec = from_json(NetworkSpec, json.loads(metadata["growgan.spec"]), "spec")
        _check_parts(parts, spec)
    except (ValueError, ConfigError, RecursionError) as error:
        raise ModelError(f"the description in {path} cannot be read: {error}") from error
    return {"spec": spec, **parts}


def _check_parts(parts: dict[str, Any], spec: NetworkSpec) -> None:
    """Raise ValueError if the header's parts other than the spec are not what its readers rely on."""
    for key, part in parts.items():
        if not isinstance(part, dict):
            raise ValueError(f"{key} should be a JSON object")
    training = parts["training"]
    resolution, alpha = training.get("resolution", spec.resolution), training.get("alpha", 1.0)
    if not (isinstance(resolution, int) and is_size(resolution) and resolution <= spec.resolution):
        raise ValueError(f"training.resolution cannot be {resolution!r}")
    if not (isinstance(alpha, int | float) and 0 <= alpha <= 1):
        raise ValueError(f"training.alpha should be between 0 and 1, not {alpha!r}")
    if not isinstance(training.get("nimg", 0), int | float):
        raise ValueError(f"training.nimg should be a number, not {training['nimg']!r}")
    names, labels = training.get("class_names", []), training.get("labels", {})
    if names and not (_is_list(names, spec.num_labels) and all(isinstance(name, str) for name in names)):
        raise ValueError(f"training.class_names should be {spec.num_labels} names")
    if not isinstance(training.get("parent", {}), dict):
        raise ValueError("training.parent should be a JSON object")
    if not isinstance(labels, dict):
        raise ValueError("training.labels should be a JSON object")
    rows = labels.get("rows", [])
    counts = [labels["counts"]] if "counts" in labels else []
    known = [*rows, *counts] if isinstance(rows, list) else []
    if labels and not (known and all(_is_row(row, spec.num_labels) for row in known)):
        raise ValueError(f"training.labels should hold {spec.num_labels} numbers, none of them negative")
    if "counts" in labels and not sum(labels["counts"]) > 0:
        raise ValueError("training.labels sums to zero")


def _is_list(value: Any, length: int) -> bool:
    return isinstance(value, list) and len(value) == length


def _is_row(value: Any, length: int) -> bool:
    return _is_list(value, length) and all(isinstance(v, int | float) and 0 <= v < math.inf for v in value)
