"""From any pictures to a finished set, in one pass: source, checks, transform, set.

All cores work; the pictures come out in the order of their names, and only a few are in memory at once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from growgan.core.errors import DataError
from growgan.core.progress import MakeProgress
from growgan.data.framing import Framing, check_resolution, choose_resolution
from growgan.data.labels import Sidecar, format_sidecar, parse_sidecar
from growgan.data.parallel import map_ordered
from growgan.data.pictures import Rejected, open_picture, read_header, strict_pillow
from growgan.data.sources import SIDECAR, Entry, Skipped, Source, open_source
from growgan.data.transform import Made, Transform, check_format
from growgan.data.writer import open_writer

Label = int | list[float] | str


@dataclass(slots=True)
class BuildReport:
    """What a build did: ``count`` pictures written, ``copied`` of them byte for byte, and what was left out."""

    path: Path
    resolution: int
    channels: int
    framing: str
    count: int = 0
    copied: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    class_names: tuple[str, ...] = ()
    skipped: list[Skipped] = field(default_factory=list)


def build(
    source: str | Path,
    out: str | Path,
    *,
    resolution: int | None = None,
    at_most: int | None = None,
    crop: tuple[float, float, float, float] | None = None,
    channels: int | None = None,
    labels: str | None = None,
    limit: int | None = None,
    strict: bool = False,
    format: str = "png",
    quality: int | None = None,
    upscale: bool = False,
    overwrite: bool = False,
    progress: MakeProgress | None = None,
) -> BuildReport:
    """Make a finished set at ``out`` (a zip where it is called .zip, else a folder) from a folder or zip of pictures.

    ``resolution``: None takes the largest power of two, at most 1024 or ``at_most``, that 9 of 10 pictures reach.
    ``crop``: see Framing. ``channels``: None takes 1 where every picture is grey, else 3. ``labels``: "folders" makes
    the top folders classes; None keeps those of a dataset.json in the source. ``limit``: so many pictures at most.
    ``strict``: the first unusable picture ends the build; else it is skipped and reported.
    DataError, with nothing left behind, for impossible wishes, a source without usable pictures, and a full disk.
    """
    source, out = Path(source), Path(out)
    framing = Framing(crop)
    _check_wishes(source, out, resolution, labels, limit)
    check_format(format, quality)
    start = time.monotonic()
    with strict_pillow(), open_source(source) as files:
        labelling = _Labelling(files, labels)
        if resolution is None or channels is None:
            found_resolution, found_channels = _survey(files, framing, progress)
            resolution = resolution or min(found_resolution, at_most or found_resolution)
            channels = channels or found_channels
        transform = Transform(
            resolution=resolution,
            channels=channels,
            framing=framing,
            format=format,
            quality=quality,
            upscale=upscale,
        )
        report = BuildReport(out, resolution, channels, framing.describe())
        for skipped in files.skipped:
            _skip(report, skipped, strict)
        try:
            _write(files, out, transform, labelling, report, limit, strict, overwrite, progress)
        except OSError as error:
            raise DataError(f"{out}: cannot be written ({error.strerror or error})") from error
    report.size_bytes = sum(item.stat().st_size for item in (out.rglob("*") if out.is_dir() else [out]))
    report.seconds = time.monotonic() - start
    return report


def _check_wishes(source: Path, out: Path, resolution: int | None, labels: str | None, limit: int | None) -> None:
    if resolution is not None:
        check_resolution(resolution)
    if labels not in (None, "folders"):
        raise DataError(f"labels {labels}: must be folders")
    if limit is not None and limit < 1:
        raise DataError(f"limit {limit}: must be at least 1")
    inner, outer = source.resolve(), out.resolve()
    if inner == outer or inner.is_relative_to(outer) or (source.is_dir() and outer.is_relative_to(inner)):
        raise DataError(f"{out}: a set cannot be built over, around or inside its own source")


class _Labelling:
    """Which label each name has: of its folder, of the source's dataset.json, or none."""

    def __init__(self, files: Source, labels: str | None) -> None:
        self.by_folder = labels == "folders"
        self._sidecar = Sidecar() if self.by_folder else parse_sidecar(files.read_sidecar(), files.path)
        self.has_labels = self.by_folder or self._sidecar.labels is not None

    def find(self, name: str) -> Label | None:
        """Return a name's label, None where it lacks one."""
        if self.by_folder:
            folder, slash, _ = name.partition("/")
            return folder if slash else None
        return (self._sidecar.labels or {}).get(name)

    @property
    def fault(self) -> str:
        """Say why ``find`` found nothing."""
        return "in no folder, so of no class" if self.by_folder else f"no label in {SIDECAR}"

    def number(self, labels: Sequence[Label]) -> tuple[list[int | list[float]], tuple[str, ...]]:
        """Return the labels as dataset.json holds them, and the class names; folders are numbered as sorted."""
        if not self.by_folder:
            return [label for label in labels if not isinstance(label, str)], self._sidecar.class_names
        names = sorted({label for label in labels if isinstance(label, str)})
        numbers = {name: number for number, name in enumerate(names)}
        return [numbers[label] for label in labels if isinstance(label, str)], tuple(names)


def _survey(files: Source, framing: Framing, progress: MakeProgress | None) -> tuple[int, int]:
    """Return the resolution and channels that suit most pictures, by their headers."""

    def read(entry: Entry) -> tuple[int, int] | None:
        try:
            header = read_header(open_picture(files.read(entry)))
            left, _, right, _ = framing.find_box(header.width, header.height)
        except Exception:
            return None  # the build itself will say what is wrong with it
        return right - left, header.channels

    bar = progress(len(files.entries), "looking at pictures") if progress else None
    found: Counter[tuple[int, int]] = Counter()
    for shape in map_ordered(read, files.entries):
        if shape is not None:
            found[shape] += 1
        if bar:
            bar.advance()
    if bar:
        bar.close()
    if not found:
        raise DataError(f"{files.path}: there is no usable picture in it")
    sides = [side for side, _ in found.elements()]
    return choose_resolution(sides), 1 if all(channels == 1 for _, channels in found) else 3


def _write(
    files: Source,
    out: Path,
    transform: Transform,
    labelling: _Labelling,
    report: BuildReport,
    limit: int | None,
    strict: bool,
    overwrite: bool,
    progress: MakeProgress | None,
) -> None:
    names: list[str] = []
    labels: list[Label] = []
    made = _make(files, transform, labelling, progress)
    with open_writer(out, overwrite) as writer, closing(made):
        for picture, label in made:
            if isinstance(picture, Skipped):
                _skip(report, picture, strict)
                continue
            index = f"{len(names):08d}"
            names.append(f"{index[:5]}/img{index}{picture.suffix}")
            labels += [] if label is None else [label]
            report.copied += picture.copied
            writer.add(names[-1], picture.data)
            if len(names) == limit:
                break
        if not names:
            raise DataError(f"{files.path}: {_explain_nothing(report.skipped)}")
        numbers, report.class_names = labelling.number(labels)
        writer.add(SIDECAR, format_sidecar(names, numbers if labelling.has_labels else None, report.class_names))
        writer.finish()
    report.count = len(names)


def _make(
    files: Source, transform: Transform, labelling: _Labelling, progress: MakeProgress | None
) -> Generator[tuple[Made | Skipped, Label | None], None, None]:
    def make(entry: Entry) -> tuple[Made | Skipped, Label | None]:
        label = labelling.find(entry.name)
        if label is None and labelling.has_labels:
            return Skipped(entry.name, labelling.fault), None
        try:
            return transform.apply(files.read(entry)), label
        except Rejected as error:
            return Skipped(entry.name, str(error)), None
        except Exception as error:
            return Skipped(entry.name, f"cannot be read ({' '.join(str(error).split())})"), None

    bar = progress(len(files.entries), "making pictures") if progress else None
    try:
        for result in map_ordered(make, files.entries):
            yield result
            if bar:
                bar.advance()
    finally:
        if bar:
            bar.close()


def _skip(report: BuildReport, skipped: Skipped, strict: bool) -> None:
    if strict:
        raise DataError(f"{skipped.name}: {skipped.reason}")
    report.skipped.append(skipped)


def _explain_nothing(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return "there is no usable picture in it"
    reason, count = Counter(item.reason for item in skipped).most_common(1)[0]
    return f"there is no usable picture in it ({count} of {len(skipped)} files: {reason})"
