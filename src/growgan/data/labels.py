"""dataset.json: labels and class names of a set, as StyleGAN's tools write and read them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import DataError
from growgan.data.pictures import is_picture_name
from growgan.data.sources import SIDECAR, Files, Source

MOST_CLASSES = 2**20


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The contents of dataset.json: the label of each name (None: the set has none) and the names of the classes."""

    labels: dict[str, int | list[float]] | None = None
    class_names: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """The original names of the pictures, in the order of the set's names; may be empty."""


def read_sidecar(source: Files, labelled: bool = True) -> Sidecar:
    """Read a source's dataset.json, if it has one, as `parse_sidecar` does."""
    where = f"{source.path}: {SIDECAR}"
    try:
        data = source.read_sidecar()
    except Exception as error:
        raise DataError(f"{where} cannot be read ({error})") from error
    return parse_sidecar(data, where, labelled)


def read_origins(source: Source) -> dict[str, str]:
    """Return the original names of a built set's pictures by their names in the set; empty if it records none."""
    if not isinstance(source, Files):
        return {}
    try:
        origins = read_sidecar(source, labelled=False).sources
    except DataError:
        return {}  # reported when the labels are read
    names = [entry.name for entry in source.entries if is_picture_name(entry.name)]
    return dict(zip(names, origins)) if len(names) == len(origins) else {}


def parse_sidecar(data: bytes | None, where: object, labelled: bool = True) -> Sidecar:
    """Parse the bytes of dataset.json (None: no such file).

    where: what to call the file in errors. labelled: if False, labels and class names are ignored, so that new ones can
    replace damaged ones. Raises `DataError` if the bytes are damaged.
    """
    if data is None:
        return Sidecar()
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise DataError(f"{where} must be a JSON object with a field labels")
    sources = _parse_sources(content.get("sources"), where)
    if not labelled:
        return Sidecar(sources=sources)
    class_names = content.get("class_names") or []
    if not (isinstance(class_names, list) and all(isinstance(name, str) for name in class_names)):
        raise DataError(f"{where}: class_names must be a list of names")
    rows = content.get("labels")
    if rows is None:
        return Sidecar(None, tuple(class_names), sources)
    if not isinstance(rows, list):
        raise DataError(f"{where}: labels must be null or a list of [name, label]")
    labels: dict[str, int | list[float]] = {}
    for row in rows:
        name, label = _parse_row(row, where)
        if name in labels:
            raise DataError(f"{where} names {name} twice")
        labels[name] = label
    _check_kind(labels.values(), len(class_names), where)
    return Sidecar(labels, tuple(class_names), sources)


def collect_labels(sidecar: Sidecar, names: Sequence[str], where: object) -> tuple[NDArray[Any] | None, int]:
    """Return the labels of `names` in their order and the number of classes K; (None, 0) without labels.

    Labels are int64 [N], or float32 [N, K] if a picture may have several; rows that are all one-hot become single
    classes. Raises `DataError` if names and labels do not match.
    """
    if sidecar.labels is None:
        return None, 0
    labels, found = _make_table(_order_labels(sidecar.labels, names, where))
    return labels, len(sidecar.class_names) or found


def is_one_hot(table: NDArray[np.float32]) -> bool:
    """Say whether every row of float [N, K] has one 1 and otherwise zeros."""
    return bool(np.all((table == 0) | (table == 1)) and np.all(table.sum(axis=1) == 1))


def read_label_array(path: Path, count: int | None) -> list[int | list[float]]:
    """Read labels in numpy's format: one-hot or multi-label rows [N, K], or class numbers [N].

    Raises `DataError` if the file is damaged or does not hold `count` labels.
    """
    try:
        table = np.load(path, allow_pickle=False)
        if table.dtype.kind not in "fiub":
            raise ValueError("not numbers")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a readable array of labels ({error})") from error
    if table.ndim not in (1, 2) or table.size == 0 or (count is not None and len(table) != count):
        raise DataError(f"{path}: labels of shape {list(table.shape)} do not fit {count or 'the'} pictures")
    if not (table.min() >= 0 and table.max() <= (1 if table.ndim == 2 else MOST_CLASSES - 1)):
        raise DataError(f"{path}: labels out of range")
    if table.ndim == 2 and not is_one_hot(table):
        rows: list[int | list[float]] = table.astype(np.float64).tolist()
        return rows
    classes = table.argmax(axis=1) if table.ndim == 2 else table
    numbers: list[int | list[float]] = classes.astype(np.int64).tolist()
    return numbers


def format_sidecar(
    names: Sequence[str],
    labels: Sequence[int | list[float]] | None,
    class_names: Sequence[str],
    sources: Sequence[str] = (),
) -> bytes:
    """Return the bytes of a dataset.json; names that are not valid Unicode, as a file system allows, are escaped.

    Raises `DataError` for labels that no reader would accept.
    """
    rows = None if labels is None else [[name, label] for name, label in zip(names, labels, strict=True)]
    content: dict[str, Any] = {"labels": rows, "class_names": list(class_names)}
    if sources:
        content["sources"] = list(sources)
    data = json.dumps(content, ensure_ascii=False).encode(errors="backslashreplace")
    collect_labels(parse_sidecar(data, SIDECAR), names, SIDECAR)
    return data


def _check_kind(labels: Collection[int | list[float]], named: int, where: object) -> None:
    """Raise `DataError` unless all labels are of one kind and fit the number of named classes, if any."""
    lengths = {len(label) if isinstance(label, list) else 0 for label in labels}
    if len(lengths) > 1:
        raise DataError(f"{where}: labels must all be integers, or all lists of one length")
    several = max(lengths, default=0)
    found = several or 1 + max((label for label in labels if isinstance(label, int)), default=-1)
    # A named class may lack pictures, also among one-hot lists; other lists, though, state K by their length.
    outright = several and named != found and not is_one_hot(np.array(list(labels), dtype=np.float32))
    if named and (named < found or outright):
        raise DataError(f"{where} has {named} class_names but {found} classes")


def _order_labels(labels: dict[str, int | list[float]], names: Sequence[str], where: object) -> list[int | list[float]]:
    if absent := labels.keys() - set(names):
        raise DataError(
            f"{where} names {min(absent)}, which is not in the dataset; `growgan data build` makes one of the pictures"
            " that are there"
        )
    if missing := [name for name in names if name not in labels]:
        raise DataError(f"{where} has no label for {missing[0]} ({len(missing)} of {len(names)} lack one)")
    return [labels[name] for name in names]


def _make_table(rows: list[int | list[float]]) -> tuple[NDArray[Any], int]:
    if isinstance(rows[0], int):
        classes = np.array(rows, dtype=np.int64)
        return classes, int(classes.max()) + 1
    table = np.array(rows, dtype=np.float32)
    if is_one_hot(table):
        return table.argmax(axis=1).astype(np.int64), table.shape[1]
    return table, table.shape[1]


def _parse_sources(sources: object, where: object) -> tuple[str, ...]:
    if sources is None:
        return ()
    if not (isinstance(sources, list) and all(isinstance(name, str) for name in sources)):
        raise DataError(f"{where}: sources must be a list of names")
    return tuple(sources)


def _parse_row(row: object, where: object) -> tuple[str, int | list[float]]:
    if isinstance(row, list) and len(row) == 2 and isinstance(row[0], str):
        name, label = row
        if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < MOST_CLASSES:
            return name, label
        if isinstance(label, list) and label and all(_is_share(value) for value in label):
            return name, [float(value) for value in label]
    raise DataError(f"{where}: {str(row)[:60]} is not [name, class number or list of numbers from 0 to 1]")


def _is_share(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
