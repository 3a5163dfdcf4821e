"""Survey the pictures of a source by their headers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

from growgan.core.errors import DataError
from growgan.core.progress import MakeProgress, Silent
from growgan.data.framing import Framing, choose_resolution, find_side
from growgan.data.labelling import Labelling, list_classes
from growgan.data.parallel import map_ordered
from growgan.data.pictures import Rejected, open_picture, read_header, to_picture
from growgan.data.sources import Record, Skipped, Source, weigh


class Shape(NamedTuple):
    """One picture: how its file is encoded (raw: pixels without a file), its size when upright, its channels."""

    format: str
    width: int
    height: int
    channels: int


@dataclass(slots=True)
class Survey:
    """What was found: how many pictures of each shape and of each class, and the files that cannot be used."""

    shapes: Counter[Shape] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def channels(self) -> int:
        """The channels of a set that loses nothing but transparency: 1 if every picture is grey, else 3."""
        return 1 if all(shape.channels == 1 for shape in self.shapes) else 3

    def choose_resolution(self, framing: Framing) -> int | None:
        """Return the resolution that 9 of 10 of the pictures with such a framing reach; None if none can be framed."""
        sides: list[int] = []
        for shape, count in self.shapes.items():
            try:
                sides += [find_side(framing.find_box(shape.width, shape.height))] * count
            except Rejected:
                continue  # the build itself reports it
        return choose_resolution(sides) if sides else None


def survey(
    source: Source, limit: int | None = None, progress: MakeProgress = Silent, labelling: Labelling | None = None
) -> Survey:
    """Read the headers of all pictures, or of the first `limit` usable ones.

    labelling: that of a build, for which a picture without a label is unusable; None: the source's own, if any.
    """
    found = Survey()
    own = labelling or Labelling(source, None)

    def read(item: Record | Skipped) -> tuple[Shape | Skipped, Sequence[str]]:
        label = None if isinstance(item, Skipped) else own.find(item)
        if labelling is not None and labelling.has_labels and label is None and isinstance(item, Record):
            return Skipped(item.name, labelling.fault), ()
        return read_shape(item), list_classes(label, own.class_names)

    shapes = map_ordered(read, source, weigh)
    count = 0
    with progress(count_total(source, limit), "inspecting pictures") as bar, closing(shapes):
        for item, classes in shapes:
            if isinstance(item, Skipped):
                found.skipped.append(item)
            else:
                found.shapes[item] += 1
                count += 1
                found.labels.update(classes)
            bar.advance()
            if count == limit:
                break
    return found


def count_total(source: Source, limit: int | None) -> int | None:
    """Return how many pictures there are to go through, None if that is unknown."""
    return source.count if source.count is None or limit is None else min(source.count, limit)


def read_shape(item: Record | Skipped) -> Shape | Skipped:
    """Return the shape of a picture, or why it cannot be used."""
    if isinstance(item, Skipped):
        return item
    try:
        content = item.read()
        image = open_picture(content) if isinstance(content, bytes) else to_picture(content)
        header = read_header(image)
    except Exception as error:
        return Skipped(item.name, explain(error))
    return Shape(header.format or "raw", header.width, header.height, header.channels)


def explain(error: Exception) -> str:
    """Say in one line why a picture could not be read."""
    if isinstance(error, (Rejected, DataError)):
        return str(error)
    return f"cannot be read ({' '.join(str(error).split()) or type(error).__name__})"


def explain_nothing(skipped: Sequence[Skipped], holding: str = "") -> str:
    """Say that a source has no usable picture, with the most common reason. holding: what such a picture must have."""
    nothing = f"no usable picture{holding}"
    if not skipped:
        return nothing
    reason, count = Counter(item.reason for item in skipped).most_common(1)[0]
    return f"{nothing} ({count} of {len(skipped)} files: {reason})"
