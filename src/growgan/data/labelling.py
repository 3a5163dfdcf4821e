"""Which label each picture of a source gets: the source's own, its folder's, or one from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from growgan.core.errors import DataError
from growgan.core.text import composed
from growgan.data.label_files import LabelFile, read_label_file
from growgan.data.labels import Sidecar, read_origins, read_sidecar
from growgan.data.sources import SIDECAR, Files, Label, Record, Source
from growgan.data.writer import BUILT_NAME

WORDS = ("folders", "none")
LISTED = 3
"""Folders that an error message names."""


def is_word_or_file(labels: str | None) -> bool:
    """Say whether `labels` means the same for every source, rather than naming a source's own labels."""
    return labels is None or labels in WORDS or Path(labels).is_file()


class Labelling:
    """Finds the label of a record, and numbers labels that are names once all are known.

    labels: None, the source's own labels, if it has any; "none"; "folders", the top folder of each name (see
    `name_by_folders`); or a file that `label_files` reads. Attributes: `has_labels`; `class_names`, as far as they are
    known beforehand.
    """

    def __init__(self, source: Source, labels: str | None) -> None:
        self._kind = labels
        self._origins = read_origins(source)
        self._sidecar = Sidecar()
        self._file: LabelFile | None = None
        self.class_names: tuple[str, ...] = ()
        if labels is not None and labels not in WORDS and is_word_or_file(labels):
            self._file = read_label_file(Path(labels))
            self.class_names = self._file.class_names
            self.has_labels = True
        elif labels in WORDS:
            self.has_labels = labels == "folders"
        elif source.has_labels:
            self.class_names, self.has_labels = source.class_names, True
        else:
            if isinstance(source, Files):
                self._sidecar = read_sidecar(source)
            self.class_names, self.has_labels = self._sidecar.class_names, self._sidecar.labels is not None
            self._composed = {composed(name): label for name, label in (self._sidecar.labels or {}).items()}

    def find(self, record: Record) -> Label | None:
        """Return a record's label, None if it lacks one; folders as full paths, as a class depends on the others."""
        if not self.has_labels:
            return None
        if self._kind == "folders":
            return find_folder(self.origin(record.name))
        if self._file is not None:
            return self._file.find(record.name, self.origin(record.name))
        if self._sidecar.labels is not None:
            return self._sidecar.labels.get(record.name, self._composed.get(composed(record.name)))
        return record.label

    def origin(self, name: str) -> str:
        """Return a picture's original name if the built set recorded one, else its own."""
        return self._origins.get(name, name)

    @property
    def fault(self) -> str:
        """Why `find` found nothing."""
        if self._kind == "folders":
            return "in no folder, so it has no class"
        if self._file is not None:
            return f"no label in {self._file.path.name}"
        return "no label" if self._sidecar.labels is None else f"no label in {SIDECAR}"

    def number(
        self, labels: Sequence[Label], origins: Sequence[str]
    ) -> tuple[list[int | list[float]], tuple[str, ...]]:
        """Return the labels as dataset.json holds them, and the class names; new names are numbered in sorted order.

        origins: the pictures' names. Raises `DataError` if the folders do not form classes.
        """
        by_folders = self._kind == "folders"
        return number_labels(name_by_folders(labels, origins) if by_folders else labels, self.class_names)


def find_folder(name: str) -> str | None:
    """Return the full path of the folder that a name is in; None if it is in no folder."""
    return composed(name.rpartition("/")[0]) or None


def name_by_folders(folders: Sequence[Label], names: Sequence[str]) -> list[Label]:
    """Return the class of each folder: its topmost part, after dropping the parts that all folders have in common.

    An archive often holds a single folder with everything in it, which distinguishes no pictures. names: of the
    pictures in these folders. Raises `DataError` if a picture lies next to the class folders, so that all would be one
    class, and if the folders only number the pictures of a built set.
    """
    if all(BUILT_NAME.fullmatch(name) for name in names):
        raise DataError(f"labels folders: {names[0]} and the others are in numbered folders of a set, not in classes")
    parts = [str(folder).split("/") for folder in folders]
    depth = 0
    while len({part[depth] for part in parts}) == 1 and all(len(part) > depth + 1 for part in parts):
        depth += 1
    inner = sorted({part[depth + 1] for part in parts if len(part) > depth + 1})
    if inner and len({part[depth] for part in parts}) == 1:
        stray = next(name for name, part in zip(names, parts) if len(part) == depth + 1)
        classes = ", ".join([*inner[:LISTED], *(["..."] if len(inner) > LISTED else [])])
        raise DataError(
            f"labels folders: {stray} is next to the class folders ({classes}), not in one, so all pictures would be"
            " of one class; move or remove it"
        )
    return [part[depth] for part in parts]


def number_labels(
    labels: Sequence[Label], class_names: tuple[str, ...] = ()
) -> tuple[list[int | list[float]], tuple[str, ...]]:
    """Return the labels with names replaced by numbers, and the class names, sorted unless they are given."""
    found = {label for label in labels if isinstance(label, str)}
    if not found:
        return [label for label in labels if not isinstance(label, str)], class_names
    names = class_names if found <= set(class_names) else tuple(sorted(found))
    numbers = {name: number for number, name in enumerate(names)}
    return [numbers[label] for label in labels if isinstance(label, str)], names


def list_classes(label: Label | None, class_names: Sequence[str]) -> list[str]:
    """Return the classes that a label stands for, by name or else by number; none without a label."""
    if label is None or isinstance(label, str):
        return [] if label is None else [label]
    numbers = [label] if isinstance(label, int) else [number for number, value in enumerate(label) if value > 0]
    return [class_names[number] if number < len(class_names) else str(number) for number in numbers]


def name_label(label: Label | None, class_names: Sequence[str]) -> str | None:
    """Return a label as text that no other label shares; None without one."""
    if isinstance(label, list) and not all(value in (0, 1) for value in label):
        return ", ".join(f"{value:g}" for value in label)
    return None if label is None else ", ".join(list_classes(label, class_names))


def check_labels(labels: str | None, source: Source) -> None:
    """Raise `DataError` if `labels` is neither a keyword, a file nor one of the source's own label sets."""
    if not is_word_or_file(labels) and labels not in source.label_sets:
        own = f", or for this source: {', '.join(source.label_sets)}" if source.label_sets else ""
        raise DataError(f"--labels {labels}: must be folders, none or an existing file{own}")
