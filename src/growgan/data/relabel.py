"""New labels for a finished set: its dataset.json is replaced, its pictures stay as they are."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from growgan.core.errors import DataError
from growgan.core.files import whole
from growgan.core.progress import MakeProgress, Silent
from growgan.data.dataset import ImageSet, open_dataset
from growgan.data.label_files import read_label_file
from growgan.data.labelling import find_folder, name_by_folders, number_labels
from growgan.data.labels import format_sidecar
from growgan.data.pyramid import rename_content
from growgan.data.sources import SIDECAR, Files, Label, open_files
from growgan.data.writer import ZipWriter

LISTED = 3
"""Pictures without a label that an error message names."""


def relabel(path: Path, labels: str, columns: Sequence[str] = (), progress: MakeProgress = Silent) -> None:
    """Give the set at `path` the labels of its folders ("folders"), of a file (see `label_files`), or none ("none").

    Names are those of the set or, if it records them, the pictures' original ones. columns: use only these of a table.
    Every picture must get a label; otherwise, and for anything unreadable, raises `DataError` and changes nothing.
    Labels for which the set itself is refused are replaced like any others.
    """
    if columns and labels in ("folders", "none"):
        raise DataError("--columns needs a label file")
    with _open(path) as dataset:
        old_hash = dataset.content_hash
        found, class_names = _find_labels(dataset, labels, columns)
        data = format_sidecar(dataset.names, found, class_names, dataset.sources)
    try:
        if path.is_dir():
            with whole(path / SIDECAR) as temporary:
                temporary.write_bytes(data)
        else:
            with open_files(path) as files:
                _rewrite_zip(files, data, progress)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error
    with open_dataset(path) as dataset:
        rename_content(path, old_hash, dataset.content_hash)


def _open(path: Path) -> ImageSet:
    try:
        return open_dataset(path)
    except DataError:  # because of its labels, or of something that also raises without them
        return open_dataset(path, labelled=False)


def _find_labels(
    dataset: ImageSet, labels: str, columns: Sequence[str]
) -> tuple[list[int | list[float]] | None, tuple[str, ...]]:
    if labels == "none":
        return None, ()
    find: Callable[[str, str], Label | None]
    class_names: tuple[str, ...] = ()
    if labels == "folders":
        find, none = (lambda name, source: find_folder(source)), "no folder contains"
    else:
        file = read_label_file(Path(labels), columns)
        find, none, class_names = file.find, f"{file.path.name} has no label for", file.class_names
    found: list[Label] = []
    missing: list[str] = []
    for name, source in zip(dataset.names, dataset.sources or dataset.names):
        label = find(name, source)  # the set's own names are generated, and a short one may be another picture's
        if label is None:
            missing.append(source)
        else:
            found.append(label)
    if missing:
        named = ", ".join([*missing[:LISTED], *(["..."] if len(missing) > LISTED else [])])
        lacking = f"{len(missing):,} of {len(dataset):,} lack one"
        raise DataError(f"{dataset.path}: {none} {named} ({lacking}); nothing was changed")
    if labels == "folders":
        try:
            found = name_by_folders(found, dataset.sources or dataset.names)
        except DataError as error:
            raise DataError(f"{dataset.path}: {error}; nothing was changed") from error
    return number_labels(found, class_names)


def _rewrite_zip(files: Files, sidecar: bytes, progress: MakeProgress) -> None:
    with zipfile.ZipFile(files.path) as archive:
        kept = {*(entry.name for entry in files.entries), SIDECAR}
        lost = [one.filename for one in archive.infolist() if not (one.is_dir() or one.filename in kept)]
        lost = [name for name in lost if not name.startswith("__MACOSX/") and PurePosixPath(name).name != ".DS_Store"]
    if lost:
        raise DataError(f"{files.path}: also holds {lost[0]}, which would be lost; use `growgan data build`")
    with progress(len(files.entries), "copying pictures") as bar, ZipWriter(files.path.resolve()) as writer:
        for entry in files.entries:
            writer.add(entry.name, files.read(entry))
            bar.advance()
        writer.add(SIDECAR, sidecar)
        files.close()  # Windows cannot replace an open file
        writer.finish()
