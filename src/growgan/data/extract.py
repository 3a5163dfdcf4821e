"""Extract the pictures of any source to plain files, all in one folder or in one per class."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from growgan.core.errors import DataError
from growgan.core.progress import MakeProgress, Silent
from growgan.data.labelling import Labelling, name_label
from growgan.data.parallel import map_ordered
from growgan.data.pictures import encode_png, open_picture, to_picture
from growgan.data.sources import Record, Skipped, Source, weigh
from growgan.data.survey import explain, explain_nothing
from growgan.data.writer import FolderWriter

SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2", "MPO": ".jpg"}
UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\ud800-\udc7f\udd00-\udfff]|^[. ]|[. ]$')
"""What some system forbids in a folder's name; surrogate escapes, which names on disk may have, are allowed."""


def extract(
    source: Source,
    out: Path,
    *,
    by_class: bool = False,
    limit: int | None = None,
    progress: MakeProgress = Silent,
) -> tuple[int, list[Skipped]]:
    """Write a source's picture files unchanged, and pixels without one as PNG; return their number and what is skipped.

    The files are named ``img00000000.png`` and so on, in the source's order. by_class: each in a folder named after its
    class. Raises `DataError` if `out` already exists, no picture is usable, or `by_class` finds no labels or several
    per picture.
    """
    if out.exists():
        raise DataError(f"{out}: already exists")
    if source.path.is_dir() and out.resolve().is_relative_to(source.path.resolve()):
        raise DataError(f"{out}: is inside {source.path}, which would then hold every picture twice")
    if limit is not None and limit < 1:
        raise DataError(f"--limit {limit}: must be at least 1")
    labelling = Labelling(source, None)
    if by_class and not labelling.has_labels:
        raise DataError(f"{source.path}: has no labels to sort into folders")

    def read(item: Record | Skipped) -> tuple[str, str, bytes] | Skipped:
        if isinstance(item, Skipped):
            return item
        try:
            return _find_class(item, labelling) if by_class else "", *_find_file(item)
        except Exception as error:
            return Skipped(item.name, explain(error))

    count, skipped, folders = 0, [], _Folders()
    try:
        with FolderWriter(out.resolve()) as writer, progress(source.count, "writing pictures") as bar:
            for found in map_ordered(read, source, weigh):
                if isinstance(found, Skipped):
                    skipped.append(found)
                    continue
                name, suffix, data = found
                writer.add(f"{folders.of(name)}img{count:08d}{suffix}", data)
                count += 1
                bar.advance()
                if count == limit:
                    break
            if not count:
                raise DataError(f"{source.path}: {explain_nothing(skipped)}")
            writer.finish()
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror or error})") from error
    return count, skipped


def _find_file(item: Record) -> tuple[str, bytes]:
    content = item.read()
    if not isinstance(content, bytes):
        return ".png", encode_png(to_picture(content))
    format = open_picture(content).format or ""
    return SUFFIXES.get(format, f".{format.lower()}"), content


class _Folders:
    """A folder name per class: classes may be called anything, even "../x", but folders must be safe and distinct."""

    def __init__(self) -> None:
        self._folders = {"": ""}

    def of(self, name: str) -> str:
        """Return the class's folder with a trailing slash; empty without a class."""
        if name not in self._folders:
            plain = UNSAFE.sub("_", name)
            taken = {folder.casefold() for folder in self._folders.values()}
            tries = (f"{plain} ({number})/" if number > 1 else f"{plain}/" for number in itertools.count(1))
            self._folders[name] = next(folder for folder in tries if folder.casefold() not in taken)
        return self._folders[name]


def _find_class(item: Record, labelling: Labelling) -> str:
    label = labelling.find(item)
    if label is None:
        raise DataError(labelling.fault)
    if isinstance(label, list):
        raise DataError("can have several classes, so it belongs in no single folder")
    return name_label(label, labelling.class_names) or "_"
