"""A set like CelebA-HQ, made from CelebA by the paper's recipe (appendix C); `restore` makes the released one."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image

from growgan.core.errors import DataError
from growgan.core.progress import MakeProgress, Silent
from growgan.data.build import check_limit, check_places
from growgan.data.faces.align import one_thread_each
from growgan.data.faces.celeba import WildCelebA
from growgan.data.faces.collect import Collection
from growgan.data.faces.crop import Enhance, crop_face
from growgan.data.faces.ranking import Ranking
from growgan.data.framing import check_resolution
from growgan.data.parallel import map_ordered
from growgan.data.pictures import Rejected, strict_pillow
from growgan.data.resumable import Resumable
from growgan.data.sources import Skipped
from growgan.data.survey import explain
from growgan.data.writer import open_writer

SIDE = 1024
COUNT = 30_000
"""Pictures in CelebA-HQ."""


@dataclass(slots=True)
class CelebAHQReport:
    """The outcome: `exact` of `count` pictures have the release's checksum; `ranking`: None with deltas."""

    path: Path
    resolution: int
    count: int = 0
    exact: int = 0
    considered: int = 0
    ranking: Path | None = None
    seconds: float = 0.0
    skipped: list[Skipped] = field(default_factory=list)

    def skip(self, skipped: Skipped, strict: bool) -> None:
        """Record a picture that cannot be used. Raises `DataError` if `strict`."""
        if strict:
            raise DataError(f"{skipped.name}: {skipped.reason}")
        self.skipped.append(skipped)

    @contextmanager
    def timed(self, start: float) -> Iterator[None]:
        """Record the time since `start`; a full disk becomes a `DataError`."""
        try:
            yield
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({error.strerror or error})") from error
        self.seconds = time.monotonic() - start

    def finish(self, faces: Collection, source: WildCelebA, resumable: Resumable) -> None:
        """Complete the set. Raises `DataError` if it is empty."""
        if not len(faces):
            first = f" ({self.skipped[0].name}: {self.skipped[0].reason})" if self.skipped else ""
            raise DataError(f"{source.path}: no usable picture{first}")
        faces.finish()
        resumable.end()
        self.count = len(faces)


def make(
    celeba: str | Path,
    out: str | Path,
    *,
    resolution: int = SIDE,
    count: int = COUNT,
    enhance: Enhance | None = None,
    settings: str = "",
    strict: bool = False,
    overwrite: bool = False,
    progress: MakeProgress = Silent,
) -> CelebAHQReport:
    """Make a set like CelebA-HQ from CelebA in the wild: frame every face, rank them by sharpness, keep the best.

    The ranking is OUT.ranking.csv, the set OUT.unfinished until it is complete; both are written as they grow, and a
    killed build is resumed from them if the resolution and `settings`, which stand for `enhance`, are the same. Raises
    `DataError` for missing files.
    """
    start, out = time.monotonic(), Path(out)
    check_resolution(resolution)
    check_limit(count, "count")
    check_places(Path(celeba), out)
    source = WildCelebA(Path(celeba))
    path = out.with_name(f"{out.name}.ranking.csv")
    report = CelebAHQReport(out, resolution, considered=len(source.names), ranking=path)
    with report.timed(start):
        open_writer(out, overwrite).discard()  # fail now, not after hours of work
        frame = partial(_frame, source, resolution, enhance)
        with strict_pillow(), one_thread_each():
            ranking = Ranking(path, f"{resolution} {settings}")
            ranking.complete(source.names, frame, progress)
        for skipped in ranking.skipped:
            report.skip(skipped, strict)
        best = ranking.best(count, source.names)
        chosen = hashlib.blake2b("\n".join(best).encode(), digest_size=16).hexdigest()
        with (
            strict_pillow(),
            one_thread_each(),
            Resumable(out, f"{resolution} {settings} {chosen}", overwrite) as resumable,
        ):
            faces = Collection(resumable.writer)
            resumable.go_on(len(resumable.steps), progress)
            for step in resumable.steps:
                faces.count(step.origin)
            rest = best[len(resumable.steps) :]
            with (
                closing(map_ordered(lambda name: faces.encode(_again(frame, name)), rest)) as made,
                progress(len(best), "writing the best") as bar,
            ):
                bar.advance(len(best) - len(rest))
                for name, data in zip(rest, made):
                    resumable.note(name, "", faces.add(data, name), data)
                    bar.advance()
            report.finish(faces, source, resumable)
    return report


def _again(frame: Callable[[str], Image.Image], name: str) -> Image.Image:
    """Return a ranked face, framed once more. Raises `DataError` if that is no longer possible."""
    try:
        return frame(name)
    except (Rejected, OSError) as error:
        remedy = "restore it, or remove its line from the ranking"
        raise DataError(f"{name}: {explain(error)}, after it was ranked: {remedy}") from error


def _frame(source: WildCelebA, resolution: int, enhance: Enhance | None, name: str) -> Image.Image:
    crop = source.find_crop(name)
    return crop_face(source.open(source.read(name)), crop, resolution, enhance)
