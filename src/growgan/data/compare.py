"""Compare two sources by hashes of the pixels: whether they hold the same pictures in any files and order."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from growgan.core.progress import MakeProgress, Silent
from growgan.data.labelling import Labelling, name_label
from growgan.data.parallel import map_ordered
from growgan.data.pictures import NoPicture, decode_whole, is_picture_name
from growgan.data.sources import Record, Skipped, Source, weigh
from growgan.data.survey import explain


class Hashed(NamedTuple):
    """A picture: its name, a digest of size and pixels, and its label in words."""

    name: str
    digest: bytes
    label: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two sources, a and b, have in common: names of pictures, each list in the order of its source."""

    count_a: int
    count_b: int
    only_a: list[str]
    only_b: list[str]
    relabelled: list[str]
    """Pictures of a that b has too, but with other labels."""
    broken: list[Skipped]
    same_order: bool

    @property
    def are_same(self) -> bool | None:
        """Whether both hold the same pictures with the same labels; None if only broken ones could differ."""
        if self.only_a or self.only_b or self.relabelled:
            return False
        return None if self.broken else True


def hash_pixels(pixels: NDArray[np.uint8]) -> bytes:
    """Return a 16-byte digest of the size and pixels of uint8 [C, H, W]."""
    digest = hashlib.blake2b(str(pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()


def hash_pictures(source: Source, progress: MakeProgress = Silent) -> Iterator[Hashed | Skipped]:
    """Decode every picture of a source and yield its digest, or why it is broken, in order.

    If other files may lie among the pictures, those with neither a picture's name nor its first bytes are ignored.
    """
    labelling = Labelling(source, None)

    def read(item: Record | Skipped) -> Hashed | Skipped | None:
        stray = source.holds_others and not is_picture_name(item.name)
        if isinstance(item, Skipped):
            return None if stray else item
        try:
            digest = hash_pixels(decode_whole(item.read()))
        except Exception as error:
            return None if stray and isinstance(error, NoPicture) else Skipped(item.name, explain(error))
        return Hashed(item.name, digest, name_label(labelling.find(item), labelling.class_names))

    with progress(source.count, f"reading {source.path.name}") as bar:
        for found in map_ordered(read, source, weigh):
            if found is not None:
                yield found
            bar.advance()


def compare(a: Source, b: Source, progress: MakeProgress = Silent) -> Comparison:
    """Compare two sources; a picture that occurs twice in one must occur twice in the other."""
    found_a, found_b = (list(hash_pictures(source, progress)) for source in (a, b))
    pictures_a, pictures_b = ([item for item in found if isinstance(item, Hashed)] for found in (found_a, found_b))
    waiting: dict[bytes, list[Hashed]] = defaultdict(list)
    for picture in pictures_b:
        waiting[picture.digest].append(picture)
    only_a, relabelled = [], []
    for picture in pictures_a:
        same = waiting[picture.digest]
        if not same:
            only_a.append(picture.name)
            continue
        index = next((n for n, other in enumerate(same) if other.label == picture.label), 0)
        if same.pop(index).label != picture.label:
            relabelled.append(picture.name)
    left = {picture.name for same in waiting.values() for picture in same}
    return Comparison(
        count_a=len(pictures_a),
        count_b=len(pictures_b),
        only_a=only_a,
        only_b=[picture.name for picture in pictures_b if picture.name in left],
        relabelled=relabelled,
        broken=[item for item in (*found_a, *found_b) if isinstance(item, Skipped)],
        same_order=[picture.digest for picture in pictures_a] == [picture.digest for picture in pictures_b],
    )
