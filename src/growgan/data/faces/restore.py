"""Reconstruct CelebA-HQ from CelebA and the released deltas, every picture checked against the release's MD5."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from itertools import accumulate
from pathlib import Path

import PIL

from growgan.core.errors import DataError
from growgan.core.progress import MakeProgress, Silent
from growgan.data.build import check_limit, check_places
from growgan.data.faces.celeba import WildCelebA
from growgan.data.faces.celebahq import SIDE, CelebAHQReport
from growgan.data.faces.collect import Collection
from growgan.data.faces.crop import crop_face
from growgan.data.faces.deltas import (
    Target,
    add,
    add_nearly,
    hash_list,
    load_fernet,
    md5_of,
    read_delta,
    read_image_list,
)
from growgan.data.parallel import map_ordered
from growgan.data.pictures import strict_pillow, to_array, to_picture
from growgan.data.resumable import Resumable, Step
from growgan.data.sources import Skipped
from growgan.data.survey import explain

FIRST = 8
"""This many wrong checksums, and no right one, mean that Pillow or libjpeg are not the release's."""

EXACT, NEAR = "exact", "near"
OTHER_PIXELS = "wrong checksum before its delta"
WRONG_VERSIONS = (
    "no checksum matches, since the release's pixels need Pillow 3.1.1 with libjpeg 8d; --nearly accepts pictures that"
    " are a few levels off"
)


def restore(
    celeba: str | Path,
    deltas: str | Path,
    out: str | Path,
    *,
    nearly: bool = False,
    limit: int | None = None,
    strict: bool = False,
    overwrite: bool = False,
    progress: MakeProgress = Silent,
    side: int = SIDE,
) -> CelebAHQReport:
    """Reconstruct CelebA-HQ from CelebA in the wild and the released deltas, in the order of image_list.txt.

    Every picture is checked against the release's MD5 before and after its delta. The former is reproduced only with
    Pillow 3.1.1 and libjpeg 8d. nearly: also accept pictures that these or other versions process a few levels
    differently. limit: at most this many pictures. side: for tests. A killed build is resumed from OUT.unfinished;
    pictures that it skipped are tried again. Raises `DataError` for missing files, and if no checksum matches.
    """
    start, out, deltas = time.monotonic(), Path(out), Path(deltas)
    check_limit(limit, "count")
    check_places(Path(celeba), out)
    check_places(deltas, out)
    load_fernet()
    source, targets = WildCelebA(Path(celeba)), read_image_list(deltas)
    report = CelebAHQReport(out, side, considered=len(targets))
    settings = f"deltas {hash_list(deltas)} {side} {'nearly' if nearly else 'exactly'} Pillow {PIL.__version__}"
    with report.timed(start), strict_pillow(), Resumable(out, settings, overwrite) as resumable:
        faces = Collection(resumable.writer)
        work = partial(_restore, source, deltas, nearly, side, faces)
        resumable.go_on(_count_standing(resumable.steps, targets, work, limit), progress)
        for step in resumable.steps:
            if step.stored is not None:
                faces.count(step.origin)
                report.exact += step.note == EXACT
            else:
                report.skip(Skipped(step.origin, step.note), strict)
        rest = [] if len(faces) == limit else targets[len(resumable.steps) :]
        with closing(map_ordered(work, rest)) as made, progress(len(targets), "applying deltas") as bar:
            bar.advance(len(targets) - len(rest))
            for target, result in zip(rest, made):
                bar.advance()
                if isinstance(result, Skipped):
                    report.skip(result, strict)
                    if not len(faces) and _all_differ(report):
                        raise DataError(f"{celeba}: {WRONG_VERSIONS}")
                    resumable.note(*result)
                    continue
                data, note = result
                resumable.note(target.orig_file, note, faces.add(data, target.orig_file), data)
                report.exact += note == EXACT
                if len(faces) == limit:
                    break
        report.finish(faces, source, resumable)
    return report


def _restore(
    source: WildCelebA, deltas: Path, nearly: bool, side: int, faces: Collection, target: Target
) -> Skipped | tuple[bytes, str]:
    """Return a picture's file and `EXACT` if it is the release's bit for bit, else `NEAR`; callable from any thread."""
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
            return Skipped(target.orig_file, "wrong checksum after its delta")
        return faces.encode(to_picture(final)), EXACT if exact else NEAR
    except Exception as error:
        return Skipped(target.orig_file, explain(error))


def _count_standing(
    steps: Sequence[Step],
    targets: Sequence[Target],
    work: Callable[[Target], Skipped | tuple[bytes, str]],
    limit: int | None,
) -> int:
    """Return how many steps of a killed process to keep: up to a skipped picture that is usable now, or a limit."""
    made = accumulate(step.stored is not None for step in steps)
    count = next((number for number, files in enumerate(made, 1) if files == limit), len(steps))
    again = [number for number, step in enumerate(steps[:count]) if step.stored is None]
    with closing(map_ordered(work, [targets[number] for number in again])) as tried:
        for number, result in zip(again, tried):
            if not isinstance(result, Skipped):
                return number
    return count


def _all_differ(report: CelebAHQReport) -> bool:
    return len(report.skipped) >= FIRST and all(item.reason == OTHER_PIXELS for item in report.skipped)
