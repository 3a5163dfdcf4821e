"""Prepare data for training: a finished set as it is, or any pictures, built into a set once and cached."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from glob import escape
from pathlib import Path

from growgan.core.cache import cache_dir
from growgan.core.errors import DataError
from growgan.core.progress import MakeProgress, Silent, tell
from growgan.core.text import counted, printable
from growgan.data.build import BuildReport, build
from growgan.data.dataset import ImageSet, is_finished, open_dataset
from growgan.data.framing import check_resolution
from growgan.data.partial import remove
from growgan.data.pictures import strict_pillow
from growgan.data.sources import Files, Skipped, Source, open_source
from growgan.data.transform import SMALLER

LISTED = 10
MANY = 10
"""From this many pictures skipped as too small, the user is told how to include them."""

UNUSED_SECONDS = 30 * 86400.0


def prepare(
    path: str | Path,
    *,
    resolution: int | None = None,
    at_most: int | None = None,
    at_least: int | None = None,
    channels: int | None = None,
    hint: str = "",
    progress: MakeProgress = Silent,
    say: Callable[[str], None] = tell,
) -> ImageSet:
    """Open `path` for training, with its pyramid built.

    A finished set is opened unchanged, whatever its size. Other pictures are cropped to their centre square, resized to
    `resolution` (None: what most of them reach, but at most `at_most`) and kept in the user's cache until they change,
    or for 30 days after their last use, so that the command that follows a dry run or a refused one finds them built.
    say: receives lines for the user. hint: ends the line about pictures that were reduced to `at_most`. Raises
    `DataError` if the set is smaller than `at_least`, or has other `channels`.
    """
    if resolution is not None:
        check_resolution(resolution)
    with strict_pillow():
        dataset = _open(Path(path), resolution, at_most, channels, hint, progress, say)
        try:
            if at_least is not None:
                check_reaches(path, dataset, at_least, "requested")
            _check_channels(dataset, channels)
            dataset.ensure_pyramid(progress)
        except BaseException:
            dataset.close()
            raise
    return dataset


def check_reaches(path: str | Path, dataset: ImageSet, resolution: int, whose: str) -> None:
    """Raise `DataError` if the set made from the pictures at `path` is smaller than `resolution`."""
    if resolution > dataset.resolution:
        own, other = (f"{size}x{size}" for size in (dataset.resolution, resolution))
        raise DataError(
            f"{path}: its pictures reach {own}, below the {other} {whose}; `growgan data build PICTURES SET.zip"
            f" --resolution {resolution}` builds a dataset that does; add --upscale to include smaller pictures"
        )


def list_skipped(skipped: Sequence[Skipped], limit: int | None = LISTED) -> list[str]:
    """Return a line for each of the first `limit` files left out, then one with the count of the rest."""
    lines = [printable(f"skipped {item.name}: {item.reason}") for item in skipped[:limit]]
    if limit is not None and len(skipped) > limit:
        lines.append(f"skipped {len(skipped) - limit:,} more")
    small = sum(item.reason.startswith(SMALLER) for item in skipped)
    if small >= MANY:
        lines.append(f"{small:,} of these are too small: a lower --resolution includes them")
    return lines


def _find_kept(source: Source, resolution: int | None, at_most: int | None, channels: int | None) -> Path:
    """Return where the set built from a source is kept; the name depends on the source and the settings.

    "At most 64" may have come out as 32, so it is not the same request as "64". If it came out as 64, the sets are
    equal.
    """
    wishes = f"{source.fingerprint()} {channels}"
    digest = hashlib.sha256(wishes.encode()).hexdigest()[:16]
    folder, name = cache_dir() / "sets", f"{source.path.resolve().stem or 'pictures'}-{digest}"
    if resolution is None:
        return folder / f"{name}-most-{at_most or 'any'}.zip"
    for kept in sorted(folder.glob(f"{escape(name)}-most-*.zip")):
        with suppress(DataError), open_dataset(kept) as dataset:
            if dataset.resolution == resolution:
                return kept
    return folder / f"{name}-exactly-{resolution}.zip"


def _open(
    path: Path,
    resolution: int | None,
    at_most: int | None,
    channels: int | None,
    hint: str,
    progress: MakeProgress,
    say: Callable[[str], None],
) -> ImageSet:
    with ExitStack() as stack:
        files = stack.enter_context(open_source(path))
        if isinstance(files, Files) and is_finished(files):
            dataset = ImageSet(files)
            stack.pop_all()  # the set closes its files itself
            return dataset
        kept = _find_kept(files, resolution, at_most, channels)
    _prune(kept.parent)
    if kept.exists():
        try:
            dataset = open_dataset(kept)
            _mark_used(kept)
            return dataset
        except DataError:
            say(f"{kept}: damaged, rebuilding")
            kept.unlink()
    report = build(
        path, kept, resolution=resolution, at_most=at_most, channels=channels, overwrite=True, progress=progress
    )
    remedy = hint if resolution is None and report.resolution == at_most else ""
    for line in (_describe(path, report) + remedy, *list_skipped(report.skipped)):
        say(line)
    return open_dataset(kept)


def _mark_used(kept: Path) -> None:
    """Record that a kept set was used, in its modification time, which its content hash ignores."""
    with suppress(OSError):
        os.utime(kept)


def _prune(folder: Path) -> None:
    """Remove kept sets that have not been used for long, with their pyramids; they can be rebuilt byte for byte."""
    for kept in folder.glob("*.zip") if folder.is_dir() else ():
        with suppress(OSError):
            if time.time() - kept.stat().st_mtime > UNUSED_SECONDS:
                kept.unlink()
                remove(kept.with_name(f"{kept.name}.pyramid"))


def _describe(path: Path, report: BuildReport) -> str:
    return (
        f"{path}: {counted(report.count, 'picture')} cropped to the {report.framing}, resized to"
        f" {report.resolution}x{report.resolution} and cached as {report.path}"
    )


def _check_channels(dataset: ImageSet, channels: int | None) -> None:
    if channels is not None and channels != dataset.channels:
        raise DataError(
            f"{dataset.path}: its pictures have {counted(dataset.channels, 'channel')}, not the {channels} requested"
        )
