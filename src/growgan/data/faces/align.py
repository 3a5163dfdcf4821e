"""From photographs to a set of faces framed as in CelebA-HQ, with a table and a contact sheet of everything found."""

from __future__ import annotations

import itertools
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from growgan import __version__
from growgan.core.errors import DataError
from growgan.core.files import whole
from growgan.core.progress import MakeProgress, Silent, tell
from growgan.data.build import check_limit, check_places
from growgan.data.faces.collect import Collection
from growgan.data.faces.detect import Detector, Face
from growgan.data.faces.detection_cache import DetectionCache
from growgan.data.faces.judge import KEPT, TOO_SMALL, Find, Rules, Verdict, judge_picture
from growgan.data.faces.landmarks import read_landmarks
from growgan.data.faces.refine import TERMS
from growgan.data.faces.sheet import Sheet
from growgan.data.faces.table import Table
from growgan.data.framing import check_resolution
from growgan.data.image_metadata import metadata_for
from growgan.data.labelling import Labelling, check_labels
from growgan.data.parallel import map_ordered
from growgan.data.pictures import (
    convert,
    encode_png,
    load,
    open_picture,
    read_orientation,
    strict_pillow,
    to_picture,
    turn_upright,
)
from growgan.data.sources import Content, Label, Record, Skipped, Wishes, open_source, weigh
from growgan.data.survey import explain
from growgan.data.transform import check_format
from growgan.data.writer import open_writer

Judged = tuple[Verdict, bytes | None, Label | None]
"""A face, its file if it is kept, and its label."""


@dataclass(slots=True)
class AlignReport:
    """The outcome: `pictures` examined, `counts` of faces by verdict (`KEPT` first), and what was skipped."""

    path: Path
    table: Path
    sheet: Path
    pictures: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    class_names: tuple[str, ...] = ()
    skipped: list[Skipped] = field(default_factory=list)


def align(
    source: str | Path,
    out: str | Path,
    rules: Rules,
    *,
    landmarks: str | Path | None = None,
    weights: str | Path | None = None,
    refine: bool = True,
    labels: str | None = None,
    kind: str | None = None,
    split: str | None = None,
    limit: int | None = None,
    strict: bool = False,
    format: str = "png",
    quality: int | None = None,
    overwrite: bool = False,
    progress: MakeProgress = Silent,
    say: Callable[[str], None] = tell,
) -> AlignReport:
    """Build a set of the faces in a source's pictures at `out`, with OUT.faces.csv and OUT.faces.png next to it.

    landmarks: a file of them (`read_landmarks`); otherwise they are found by `Detector` with the `weights` and, with
    `refine`, fitted to CelebA-HQ's framing by `Refiner`, whose terms go to `say` before the work begins. kind, split,
    labels, format, quality, strict: as in `growgan.data.build.build`. limit: at most this many faces.

    The same pictures give the same bytes. What the detector found is kept in OUT.faces.found until the set is complete,
    so that resuming a killed build detects no face twice. Raises `DataError`, with no set left behind, for invalid
    settings, for pictures without a suitable face, and for a full disk; `ModelError` without the detector's weights.
    """
    source, out = Path(source), Path(out)
    check_resolution(rules.resolution)
    check_format(format, quality)
    check_places(source, out)
    check_limit(limit)
    start = time.monotonic()
    report = AlignReport(out, out.with_name(f"{out.name}.faces.csv"), out.with_name(f"{out.name}.faces.png"))
    with strict_pillow(), one_thread_each(), open_source(source, kind, Wishes(split)) as pictures:
        check_labels(labels, pictures)
        labelling = Labelling(pictures, labels)
        find, finder = _choose_finder(rules, landmarks, weights, refine)
        if finder is not None and refine:
            say(TERMS)
        sheet, table = Sheet(), Table()
        try:
            with open_writer(out, overwrite) as writer, ExitStack() as stack:
                faces = Collection(writer, format, quality)
                found = None
                if finder is not None:
                    found = DetectionCache(out.with_name(f"{out.name}.faces.found"), finder)
                    stack.callback(found.close)
                work = partial(_work, find if found is None else found.before(find), rules, labelling, faces)
                bar = stack.enter_context(progress(pictures.count, "looking for faces"))
                with closing(map_ordered(work, pictures, weigh)) as looked:
                    for verdict, data, label in _faces_in(bar.counting(looked), report, found, strict):
                        kept = faces.add(data, labelling.origin(verdict.name), label) if data is not None else ""
                        table.add(verdict, kept)
                        sheet.add(verdict)
                        if len(faces) == limit:
                            break
                if not len(faces):
                    raise DataError(f"{source}: no face was kept ({_sum_up(sheet, report)}){_least(sheet, rules)}")
                _write_beside(report, table, sheet, say)
                faces.finish(labelling.number)
                if found is not None:
                    found.remove()
        except OSError as error:
            raise DataError(f"{out}: cannot be written ({error.strerror or error})") from error
    report.counts, report.class_names = sheet.counts, faces.class_names
    report.seconds = time.monotonic() - start
    return report


def open_upright(content: Content) -> Image.Image:
    """Return a picture of a source, upright, as RGB. Raises `Rejected` if it cannot be used."""
    image = open_picture(content) if isinstance(content, bytes) else to_picture(content)
    orientation = read_orientation(image)
    load(image)
    return convert(turn_upright(image, orientation), 3)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let torch use one thread per picture: all cores work on other pictures, and sums are the same on any machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _choose_finder(
    rules: Rules, landmarks: str | Path | None, weights: str | Path | None, refine: bool
) -> tuple[Find, str | None]:
    """Return what finds faces, and a string of all that its results depend on; None for a file of landmarks."""
    if landmarks is not None:
        return read_landmarks(Path(landmarks)).find, None
    detector = Detector(rules.min_size, None if weights is None else Path(weights), refine)

    def find(name: str, image: Image.Image) -> list[Face]:
        return detector.detect(image)

    return find, f"{rules.min_size} {detector.digest} {__version__}"


def _work(
    find: Find, rules: Rules, labelling: Labelling, faces: Collection, item: Record | Skipped
) -> Skipped | list[Judged]:
    """Return the verdicts on one picture; callable from any thread."""
    if isinstance(item, Skipped):
        return item
    label = labelling.find(item)
    if label is None and labelling.has_labels:
        return Skipped(item.name, labelling.fault)
    try:
        verdicts = judge_picture(item.name, open_upright(item.read()), find, rules)
        made = []
        for verdict in verdicts:
            data = faces.encode(verdict.picture) if verdict.picture is not None else None
            verdict.picture = None
            made.append((verdict, data, label))
        return made
    except Exception as error:
        return Skipped(item.name, explain(error))


def _faces_in(
    looked: Iterable[Skipped | list[Judged]], report: AlignReport, found: DetectionCache | None, strict: bool
) -> Iterator[Judged]:
    """Yield the faces of each picture in turn, counting pictures and skips; if `strict`, a skip raises `DataError`."""
    for item in looked:
        if isinstance(item, Skipped):
            if strict:
                raise DataError(f"{item.name}: {item.reason}")
            report.skipped.append(item)
            continue
        report.pictures += 1
        if found is not None:
            found.save()
        yield from item


def _write_beside(report: AlignReport, table: Table, sheet: Sheet, say: Callable[[str], None]) -> None:
    content = table.to_bytes()
    if report.table.exists() and report.table.read_bytes() != content:  # it may have been corrected by hand
        names = (f"{report.table.name}.before{number or ''}" for number in itertools.count())
        before = next(path for path in map(report.table.with_name, names) if not path.exists())
        shutil.copyfile(report.table, before)
        say(f"the previous table is kept as {before}")
    with whole(report.table) as temporary:
        temporary.write_bytes(content)
    with whole(report.sheet) as temporary:
        temporary.write_bytes(encode_png(sheet.draw(), **metadata_for("PNG", {"sheet": "faces found"})))


def _least(sheet: Sheet, rules: Rules) -> str:
    """Return advice about crops that are too small, if there are any."""
    least = f"; crops below {rules.min_size:g} pixels are too small: lower --resolution or --min-size"
    return least if TOO_SMALL in sheet.counts else ""


def _sum_up(sheet: Sheet, report: AlignReport) -> str:
    parts = [f"{reason}: {count:,}" for reason, count in sheet.counts.items() if reason != KEPT]
    reasons = Counter(item.reason for item in report.skipped)
    named = reasons.most_common(3)
    parts += [f"{reason}: {count:,}" for reason, count in named]
    if others := len(report.skipped) - sum(count for _, count in named):
        parts.append(f"skipped for other reasons: {others:,}")
    return ", ".join(parts) or "no pictures"
