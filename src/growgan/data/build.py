"""Build a finished set from any pictures in one pass: source, checks, transform, set.

All cores are used; the pictures keep the order of the source, and only a few are in memory at once.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from growgan.core.errors import DataError
from growgan.core.progress import MakeProgress, Silent
from growgan.core.runfiles import is_run
from growgan.data.framing import Framing, check_resolution
from growgan.data.labelling import Labelling, check_labels, is_word_or_file
from growgan.data.labels import format_sidecar
from growgan.data.parallel import map_ordered
from growgan.data.pictures import strict_pillow
from growgan.data.sources import SIDECAR, Label, Record, Skipped, Source, Wishes, open_source, weigh
from growgan.data.survey import count_total, explain, explain_nothing, survey
from growgan.data.transform import Made, Transform, check_format
from growgan.data.writer import SetWriter, check_place, open_writer


@dataclass(slots=True)
class BuildReport:
    """What a build did: `count` pictures written, and what was left out.

    Of those written, `copied` are byte for byte the source's own; `equal` pictures turned out equal to an earlier one.
    """

    path: Path
    resolution: int
    channels: int
    framing: str
    count: int = 0
    copied: int = 0
    equal: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    class_names: tuple[str, ...] = ()
    skipped: list[Skipped] = field(default_factory=list)


def build(
    source: str | Path,
    out: str | Path,
    *,
    kind: str | None = None,
    split: str | None = None,
    resolution: int | None = None,
    at_most: int | None = None,
    crop: tuple[float, float, float, float] | None = None,
    pad: str | None = None,
    channels: int | None = None,
    labels: str | None = None,
    limit: int | None = None,
    unique: bool = False,
    strict: bool = False,
    format: str = "png",
    quality: int | None = None,
    upscale: bool = False,
    overwrite: bool = False,
    progress: MakeProgress = Silent,
) -> BuildReport:
    """Build a finished set at `out` (a zip if it is named .zip, else a folder) from any source of pictures.

    kind: one of `sources.FORMATS`; None detects it. split: train, test ... or all, for a source that has splits.
    resolution: None takes the largest power of two, at most 1024 or `at_most`, that 9 of 10 pictures reach. crop, pad:
    see `Framing`. channels: None takes 1 if every picture is grey, else 3. labels: see `Labelling`, or one of the
    source's own kinds. limit: at most this many pictures. unique: leave out pictures equal to an earlier one. strict:
    the first unusable picture ends the build; otherwise it is skipped and reported. Raises `DataError`, with nothing
    left behind, for invalid settings, a source that is damaged or has no usable pictures, and a full disk.
    """
    source, out = Path(source), Path(out)
    asked = Framing(crop, pad)
    _check_wishes(source, out, resolution, limit)
    check_format(format, quality)
    check_place(out, overwrite)  # before the work, not after it
    start = time.monotonic()
    wishes = Wishes(split, None if is_word_or_file(labels) else labels)
    with strict_pillow(), open_source(source, kind, wishes) as pictures:
        check_labels(labels, pictures)
        labelling = Labelling(pictures, labels)
        framing = asked if crop or pad else pictures.framing or asked
        if resolution is None or channels is None:
            found = survey(pictures, limit, progress, labelling)
            suited = found.choose_resolution(framing)
            if suited is None:
                holding = " that contains the crop" if crop else ""
                raise DataError(f"{source}: {explain_nothing([] if found.shapes else found.skipped, holding)}")
            resolution = resolution or min(suited, at_most or suited)
            channels = channels or found.channels
        transform = Transform(
            resolution=resolution,
            channels=channels,
            framing=framing,
            format=format,
            quality=quality,
            upscale=upscale,
        )
        report = BuildReport(out, resolution, channels, framing.describe())
        builder = _Builder(pictures, transform, labelling, report, limit, unique, strict)
        try:
            with open_writer(out, overwrite) as writer:
                builder.run(writer, progress)
        except OSError as error:
            raise DataError(f"{out}: cannot be written ({error.strerror or error})") from error
    report.size_bytes = sum(item.stat().st_size for item in (out.rglob("*") if out.is_dir() else [out]))
    report.seconds = time.monotonic() - start
    return report


def _check_wishes(source: Path, out: Path, resolution: int | None, limit: int | None) -> None:
    if resolution is not None:
        check_resolution(resolution)
    check_limit(limit)
    check_places(source, out)


def check_limit(limit: int | None, name: str = "limit") -> None:
    """Raise `DataError` for a limit that lets nothing through. name: what the user calls it."""
    if limit is not None and limit < 1:
        raise DataError(f"--{name} {limit}: must be at least 1")


OTHER_FORMS = (".tar", ".gz", ".tgz", ".xz", ".bz2", ".zst", ".7z", ".rar", ".h5", ".mdb", ".tfrecords", ".parquet")
"""Suffixes of other containers for pictures, which a folder's name is unlikely to have."""


def check_places(source: Path, out: Path) -> None:
    """Raise `DataError` if a set at `out` would be built from itself or a run's own fakes, or destroy its source."""
    if out.suffix.lower() in OTHER_FORMS and not out.is_dir():
        raise DataError(f"{out}: a dataset is written as NAME.zip or a folder")
    if is_run(source):
        raise DataError(f"{source}: a run folder, which holds no training pictures; to start from its model use --from")
    inner, outer = source.resolve(), out.resolve()
    if inner == outer or inner.is_relative_to(outer) or (source.is_dir() and outer.is_relative_to(inner)):
        raise DataError(f"{out}: a dataset cannot be built over, around or inside its own source")


@dataclass(slots=True)
class _Builder:
    """The single pass over the source; its findings go into the report."""

    source: Source
    transform: Transform
    labelling: Labelling
    report: BuildReport
    limit: int | None
    unique: bool
    strict: bool
    names: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    _seen: dict[bytes, str] = field(default_factory=dict)

    def run(self, writer: SetWriter, progress: MakeProgress) -> None:
        total = count_total(self.source, self.limit)
        pictures = map_ordered(self._make, self.source, weigh)
        with progress(total, "processing pictures") as bar, closing(pictures) as made:
            for origin, picture, label in made:
                bar.advance()
                self._take(writer, origin, picture, label)
                if len(self.names) == self.limit:
                    break
        if not self.names:
            raise DataError(f"{self.source.path}: {explain_nothing(self.report.skipped)}")
        self.report.count = len(self.names)
        numbers, self.report.class_names = self.labelling.number(self.labels, self.origins)
        labels = numbers if self.labelling.has_labels else None
        origins = self.origins if self.source.is_named else ()
        writer.add(SIDECAR, format_sidecar(self.names, labels, self.report.class_names, origins))
        writer.finish()

    def _make(self, item: Record | Skipped) -> tuple[str, Made | str, Label | None]:
        """Return a picture of the set, or why there is none; callable from any thread."""
        if isinstance(item, Skipped):
            return item.name, item.reason, None
        label = self.labelling.find(item)
        if label is None and self.labelling.has_labels:
            return item.name, self.labelling.fault, None
        try:
            return item.name, self.transform.apply(item.read()), label
        except Exception as error:
            return item.name, explain(error), None

    def _take(self, writer: SetWriter, origin: str, picture: Made | str, label: Label | None) -> None:
        if isinstance(picture, Made):
            first = self._seen.setdefault(picture.digest, origin)
            if first is not origin:
                self.report.equal += 1
                picture = f"equal to {first}" if self.unique else picture
        if isinstance(picture, str):
            if self.strict:
                raise DataError(f"{origin}: {picture}")
            self.report.skipped.append(Skipped(origin, picture))
            return
        index = f"{len(self.names):08d}"
        self.names.append(f"{index[:5]}/img{index}{picture.suffix}")
        self.origins.append(self.labelling.origin(origin))
        self.labels += [] if label is None else [label]
        self.report.copied += picture.copied
        writer.add(self.names[-1], picture.data)
