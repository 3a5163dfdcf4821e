"""CelebA-HQ: put together from CelebA and the released deltas, or made anew by the paper's recipe (appendix C)."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image

from growgan.core.errors import DataError
from growgan.core.progress import MakeProgress
from growgan.data.build import check_places
from growgan.data.faces.align import one_thread_each
from growgan.data.faces.celeba import WildCelebA
from growgan.data.faces.collect import Collection
from growgan.data.faces.crop import Enhance, crop_face
from growgan.data.faces.deltas import Target, add, add_nearly, load_fernet, md5_of, read_delta, read_image_list
from growgan.data.faces.ranking import Ranking
from growgan.data.framing import check_resolution
from growgan.data.parallel import map_ordered
from growgan.data.pictures import strict_pillow, to_array, to_picture
from growgan.data.sources import Skipped
from growgan.data.survey import explain
from growgan.data.writer import open_writer

SIDE = 1024
COUNT = 30_000
"""Pictures of CelebA-HQ."""
FIRST = 8
"""So many wrong checksums, and no right one, mean that Pillow or libjpeg are not the release's."""


@dataclass(slots=True)
class CelebAHQReport:
    """What was done: ``exact`` of ``count`` pictures have the release's checksum; ``ranking``: None with deltas."""

    path: Path
    resolution: int
    count: int = 0
    exact: int = 0
    considered: int = 0
    ranking: Path | None = None
    seconds: float = 0.0
    skipped: list[Skipped] = field(default_factory=list)


def restore(
    celeba: str | Path,
    deltas: str | Path,
    out: str | Path,
    *,
    nearly: bool = False,
    limit: int | None = None,
    strict: bool = False,
    overwrite: bool = False,
    progress: MakeProgress | None = None,
    side: int = SIDE,
) -> CelebAHQReport:
    """Put CelebA-HQ together from CelebA in the wild and the released deltas, in the order of image_list.txt.

    Every picture is checked by the release's MD5 before and after its delta. The first comes out with Pillow 3.1.1 and
    libjpeg 8d alone; ``nearly`` also takes pictures that these or others process a few levels differently. ``side`` is
    for tests. DataError for missing files, and where no checksum comes out.
    """
    start, out, deltas = time.monotonic(), Path(out), Path(deltas)
    check_places(Path(celeba), out)
    check_places(deltas, out)
    load_fernet()
    source, targets = WildCelebA(Path(celeba)), read_image_list(deltas)
    report = CelebAHQReport(out, side, considered=len(targets))
    try:
        with strict_pillow(), open_writer(out, overwrite) as writer:
            faces = Collection(writer)
            work = partial(_restore, source, deltas, nearly, side, faces)
            bar = progress(len(targets), "applying deltas") if progress else None
            with closing(map_ordered(work, targets)) as made:
                for target, result in zip(targets, made):
                    if bar:
                        bar.advance()
                    if isinstance(result, Skipped):
                        _skip(report, result, strict)
                        if not len(faces) and _all_differ(report):
                            raise DataError(f"{celeba}: {WRONG_VERSIONS}")
                        continue
                    data, exact = result
                    faces.add(data, target.orig_file)
                    report.exact += exact
                    if len(faces) == limit:
                        break
            if bar:
                bar.close()
            _finish(report, faces, source)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror or error})") from error
    report.seconds = time.monotonic() - start
    return report


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
    progress: MakeProgress | None = None,
) -> CelebAHQReport:
    """Make a set like CelebA-HQ from CelebA in the wild: frame every face, rank them by sharpness, keep the best.

    The ranking is OUT.ranking.csv; it is written as it grows, and a build that was killed goes on with it, if
    ``settings``, which stand for ``enhance``, and the resolution are the same. DataError for missing files.
    """
    start, out = time.monotonic(), Path(out)
    check_resolution(resolution)
    if count < 1:
        raise DataError(f"count {count}: must be at least 1")
    check_places(Path(celeba), out)
    source = WildCelebA(Path(celeba))
    path = out.with_name(f"{out.name}.ranking.csv")
    report = CelebAHQReport(out, resolution, considered=len(source.names), ranking=path)
    try:
        open_writer(out, overwrite).discard()  # or hours of work would be in vain
        frame = partial(_frame, source, resolution, enhance)
        with strict_pillow(), one_thread_each():
            ranking = Ranking(path, f"{resolution} {settings}")
            ranking.complete(source.names, frame, progress)
        for skipped in ranking.skipped:
            _skip(report, skipped, strict)
        best = ranking.best(count)
        with strict_pillow(), one_thread_each(), open_writer(out, overwrite) as writer:
            faces = Collection(writer)
            bar = progress(len(best), "making the best") if progress else None
            with closing(map_ordered(lambda name: faces.encode(frame(name)), best)) as made:
                for name, data in zip(best, made):
                    faces.add(data, name)
                    if bar:
                        bar.advance()
            if bar:
                bar.close()
            _finish(report, faces, source)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror or error})") from error
    report.seconds = time.monotonic() - start
    return report


def _frame(source: WildCelebA, resolution: int, enhance: Enhance | None, name: str) -> Image.Image:
    crop = source.find_crop(name)
    return crop_face(source.open(source.read(name)), crop, resolution, enhance)


def _restore(
    source: WildCelebA, deltas: Path, nearly: bool, side: int, faces: Collection, target: Target
) -> Skipped | tuple[bytes, bool]:
    """Return a picture's file and whether it is the release's to the bit; in any thread."""
    try:
        original = source.read(target.orig_file)
        processed = to_array(crop_face(source.open(original), source.find_crop(target.orig_file), side))
        same = md5_of(processed) == target.proc_md5
        if not (same or nearly):
            return Skipped(target.orig_file, OTHER_PIXELS)
        delta = read_delta(deltas, target, original, side)
        final = add(processed, delta) if same else add_nearly(processed, delta)
        exact = md5_of(final) == target.final_md5
        if same and not exact:
            return Skipped(target.orig_file, "has another checksum after its delta")
        return faces.encode(to_picture(final)), exact
    except Exception as error:
        return Skipped(target.orig_file, explain(error))


OTHER_PIXELS = "has another checksum before its delta"
WRONG_VERSIONS = (
    "no checksum comes out, since the release's pixels need Pillow 3.1.1 with libjpeg 8d; --nearly takes pictures that"
    " are a few levels off"
)


def _all_differ(report: CelebAHQReport) -> bool:
    return len(report.skipped) >= FIRST and all(item.reason == OTHER_PIXELS for item in report.skipped)


def _skip(report: CelebAHQReport, skipped: Skipped, strict: bool) -> None:
    if strict:
        raise DataError(f"{skipped.name}: {skipped.reason}")
    report.skipped.append(skipped)


def _finish(report: CelebAHQReport, faces: Collection, source: WildCelebA) -> None:
    if not len(faces):
        first = f" ({report.skipped[0].name}: {report.skipped[0].reason})" if report.skipped else ""
        raise DataError(f"{source.path}: no picture of it can be used{first}")
    faces.finish()
    report.count = len(faces)
