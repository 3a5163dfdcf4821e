"""Tables of pictures: Parquet files, and what Hugging Face's `datasets` saves to disk (Arrow files).

A picture is a struct of `bytes` and `path`, or a column of bytes. A class is a ClassLabel, whose names are in the
file's metadata, or a column called label or class.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from growgan.core.errors import DataError
from growgan.data.sources import LARGEST_MEMBER, Label, Place, Record, Skipped, Source, Wishes, choose_split, require

PARQUET_MAGIC, ARROW_MAGIC = b"PAR1", b"ARROW1"
SAVED, SAVED_SPLITS = "state.json", "dataset_dict.json"
SPLIT = re.compile(r"(train|test|validation|valid|val|dev)(?![A-Za-z])", re.ASCII)
LABELS = ("label", "labels", "class", "fine_label", "target")
BATCH = 64


class ParquetSource(Source):
    """Rows in the order of the file names; the labels are those of the requested column, or the first suitable one."""

    has_splits = True

    def __init__(self, path: Path, wishes: Wishes) -> None:
        self.path = path
        self._arrow = require("pyarrow", path)
        require("pyarrow.parquet", path)
        splits = _list_splits(path)
        self._files = [file for split in choose_split(path, wishes.split, splits) for file in splits[split]]
        if not self._files:
            raise DataError(f"{path}: no data file found")
        schema = self._guard(self._read_schema, self._files[0])
        features = _read_features(schema)
        self._picture = _find_picture(self._arrow, schema, features, path)
        self.label_sets = tuple(name for name in schema.names if _is_label(self._arrow, schema, features, name))
        usual = next((name for name in LABELS if name in self.label_sets), None)
        classed = next((name for name in self.label_sets if _class_names(features, name)), None)
        self._label = wishes.labels if wishes.labels in self.label_sets else (classed or usual)
        self.has_labels = self._label is not None
        self.class_names = _class_names(features, self._label) if self._label else ()
        self.is_named = self._arrow.types.is_struct(schema.field(self._picture).type)

    @staticmethod
    def accepts(place: Place) -> bool:
        """Say whether it is a Parquet or Arrow file, or a folder of them."""
        if place.is_dir:
            known = {SAVED, SAVED_SPLITS} & set(place.names) and "dataset_info.json" in place.names
            return bool(known) or SAVED_SPLITS in place.names or bool(_list_parquets(place))
        return place.head.startswith((PARQUET_MAGIC, ARROW_MAGIC))

    def __iter__(self) -> Iterator[Record | Skipped]:
        index = 0
        columns = [self._picture, *([self._label] if self._label else [])]
        for file in self._files:
            batches = self._read_batches(file, columns)
            while (batch := self._guard(next, batches, None)) is not None:
                pictures = batch.column(0).to_pylist()
                labels = batch.column(1).to_pylist() if self._label else [None] * len(pictures)
                for picture, label in zip(pictures, labels):
                    yield self._make(index, picture, label)
                    index += 1

    def _make(self, index: int, picture: Any, label: Any) -> Record | Skipped:
        name = f"{index:08d}"
        if isinstance(picture, dict):
            name = str(picture.get("path") or name)
            picture = picture.get("bytes")
        if not isinstance(picture, bytes):
            return Skipped(name, "the picture data is not in the table")
        if len(picture) > LARGEST_MEMBER:
            return Skipped(name, f"larger than {LARGEST_MEMBER >> 20} MiB")
        return Record(name, partial(bytes, picture), self._settle(label), len(picture))

    def _settle(self, label: Any) -> Label | None:
        if isinstance(label, list):
            known = all(isinstance(item, int) and 0 <= item < len(self.class_names) for item in label)
            return [float(number in label) for number in range(len(self.class_names))] if known else None
        if isinstance(label, str) or (isinstance(label, int) and label >= 0):
            return label
        return None  # -1 means unknown

    def _read_schema(self, file: Path) -> Any:
        if _is_parquet(file):
            return self._arrow.parquet.read_schema(file)
        with self._open_arrow(file) as reader:
            return reader.schema

    def _read_batches(self, file: Path, columns: list[str]) -> Iterator[Any]:
        if _is_parquet(file):
            with self._arrow.parquet.ParquetFile(file) as opened:
                for batch in opened.iter_batches(BATCH, columns=columns):
                    yield batch.select(columns)
            return
        with self._open_arrow(file) as reader:
            count = getattr(reader, "num_record_batches", None)
            batches = iter(reader) if count is None else (reader.get_batch(number) for number in range(count))
            for batch in batches:
                for start in range(0, batch.num_rows, BATCH):
                    yield batch.select(columns).slice(start, BATCH)

    def _open_arrow(self, file: Path) -> Any:
        mapped = self._arrow.memory_map(str(file))
        with file.open("rb") as opened:
            is_file = opened.read(6) == ARROW_MAGIC
        return self._arrow.ipc.open_file(mapped) if is_file else self._arrow.ipc.open_stream(mapped)

    def _guard(self, work: Any, *arguments: Any) -> Any:
        try:
            return work(*arguments)
        except Exception as error:  # a damaged file makes pyarrow raise anything
            raise DataError(f"{self.path}: not a readable table ({' '.join(str(error).split())})") from error


def _list_splits(path: Path) -> dict[str, list[Path]]:
    """Return the files by split; those without a split all belong to ``train``."""
    if not path.is_dir():
        return {"train": [path]}
    if (path / SAVED_SPLITS).is_file():
        folders = [item for item in sorted(path.iterdir()) if (item / SAVED).is_file()]
        return {folder.name: _list_saved(folder) for folder in folders}
    if (path / SAVED).is_file():
        return {"train": _list_saved(path)}
    found: dict[str, list[Path]] = {}
    for file in _list_parquets(Place(path)):
        match = SPLIT.match(file.name)
        found.setdefault(match[1] if match else "train", []).append(file)
    if not found:
        raise DataError(f"{path}: no Parquet file found")
    return found


def _list_saved(folder: Path) -> list[Path]:
    """Return the files in the order of the folder's own list."""
    try:
        names = [str(item["filename"]) for item in json.loads((folder / SAVED).read_bytes())["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: {SAVED} is damaged") from error
    if not names or any(Path(name).name != name or not (folder / name).is_file() for name in names):
        raise DataError(f"{folder}: {SAVED} names missing files")
    return [folder / name for name in names]


def _list_parquets(place: Place) -> list[Path]:
    inside = [name for name in place.names if name.endswith(".parquet")]
    if inside:
        return [place.path / name for name in inside]
    data = place.path / "data"
    return sorted(data.glob("*.parquet")) if data.is_dir() else []


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == PARQUET_MAGIC


def _read_features(schema: Any) -> dict[str, Any]:
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _find_picture(arrow: Any, schema: Any, features: dict[str, Any], path: Path) -> str:
    def holds_bytes(kind: Any) -> bool:
        if arrow.types.is_struct(kind):
            return any(kind.field(at).name == "bytes" for at in range(kind.num_fields))
        return bool(arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind))

    fitting = [name for name in schema.names if holds_bytes(schema.field(name).type)]
    marked = [name for name in fitting if _kind(features, name) == "Image"]
    if not fitting:
        hint = "; for the picture files in the folder itself: --kind folder" if path.is_dir() else ""
        raise DataError(f"{path}: no column of pictures (columns: {', '.join(schema.names)}){hint}")
    return str((marked or fitting)[0])


def _is_label(arrow: Any, schema: Any, features: dict[str, Any], name: str) -> bool:
    if _class_names(features, name):
        return True
    kind = schema.field(name).type
    return bool(arrow.types.is_integer(kind) or arrow.types.is_string(kind) or arrow.types.is_large_string(kind))


def _kind(features: dict[str, Any], name: str) -> str:
    feature = features.get(name)
    return str(feature.get("_type", "")) if isinstance(feature, dict) else ""


def _class_names(features: dict[str, Any], name: str) -> tuple[str, ...]:
    """Return the names of a ClassLabel, or of a list of them; empty for any other column."""
    feature = features.get(name)
    if isinstance(feature, list) and len(feature) == 1:
        feature = feature[0]
    elif _kind(features, name) in ("Sequence", "List") and isinstance(feature, dict):
        feature = feature.get("feature")
    names = feature.get("names") if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" else None
    return tuple(map(str, names)) if isinstance(names, list) else ()
