"""A time lapse of a run: its grids of fakes, which show the same latents throughout, as the frames of a film."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from growgan.core.errors import ConfigError, RunError
from growgan.core.progress import clock
from growgan.core.runfiles import RunFiles, images_shown
from growgan.core.schedule import Schedule
from growgan.data.pictures import Rejected, convert
from growgan.sampling.images import SMALLEST_SHOWN

PAPER, INK = (0, 0, 0), (230, 230, 230)
GAP = "   "
"""Separator between the words of a caption."""


@dataclass(frozen=True)
class Moment:
    """A grid of fakes, and when it was drawn."""

    path: Path
    nimg: int
    seconds: float
    """Training time until then."""
    resolution: int
    alpha: float

    @property
    def words(self) -> tuple[str, ...]:
        """The words of its caption."""
        fade = (f"fade {self.alpha:.0%}",) if self.alpha < 1 else ()
        return f"{self.resolution}x{self.resolution}", *fade, f"{self.nimg / 1000:,.0f} kimg", clock(self.seconds)


def moments(run: RunFiles) -> list[Moment]:
    """The run's grids, oldest first; times between log entries are interpolated. Raises `RunError` without any grid."""
    grids = run.grids()
    if not run.exists() or not grids:
        raise RunError(f"{run.path} has no grids of fakes")
    config = run.read_config()
    schedule = Schedule(config.schedule, config.optim, config.network.resolution)
    log = run.read_log()
    shown, seconds = [0, *(entry["nimg"] for entry in log)], [0.0, *(entry["seconds"] for entry in log)]
    logged = {entry["nimg"]: entry for entry in log}
    found = []
    for path in grids:
        nimg = images_shown(path)
        phase, entry = schedule.at(nimg), logged.get(nimg, {})
        size, alpha = entry.get("resolution"), entry.get("alpha")
        if not (isinstance(size, int) and isinstance(alpha, int | float)):  # else the log has what was held for a round
            size, alpha = phase.resolution, phase.alpha
        found.append(Moment(path, nimg, float(np.interp(nimg, shown, seconds)), size, float(alpha)))
    return found


def chosen(
    found: list[Moment], count: int, warp: float = 1.5, by: Literal["time", "images"] = "time", held: int = 0
) -> list[Moment]:
    """The moment that each of `count` frames shows; the last `held` of them, but never all, show the last moment.

    At t, from 0 to 1, the film shows what there was at t^warp of the whole (by "time": of training time; by "images":
    of images shown), as the release's `generate_training_video` does: above 1, the lively beginning lasts longer. A run
    whose log is lost goes by images.
    """
    if by == "images" or not found[-1].seconds:
        places = [float(moment.nimg) for moment in found]
    else:
        places = [moment.seconds for moment in found]
    moving = count - max(1, min(held, count - 1))
    at = np.minimum(np.arange(count) / moving, 1.0) if moving else np.ones(count)
    return [found[max(0, bisect_right(places, place) - 1)] for place in at**warp * places[-1]]


def frames(
    shown: list[Moment], resolution: int, cells: tuple[int, int] | None = None, captions: bool = True, first: int = 0
) -> Iterator[Image.Image]:
    """The frames that show `shown`, from frame `first` on; a moment shown in several frames is the same picture again.

    resolution: the run's. cells: only the first columns and rows of the grids. captions: size, images shown and
    training time below. Raises `ConfigError` for more cells than there are, and `RunError` for a grid that cannot be
    read.
    """
    side = max(resolution, SMALLEST_SHOWN) if cells else None
    size = _read(shown[0], cells, side).size
    caption = Caption(size[0], shown) if captions else None
    return _framed(shown[first:], size, cells, side, caption)


def _framed(
    shown: list[Moment], size: tuple[int, int], cells: tuple[int, int] | None, side: int | None, caption: Caption | None
) -> Iterator[Image.Image]:
    before: tuple[Moment, Image.Image] | None = None
    for moment in shown:
        if before is None or before[0] is not moment:
            picture = _read(moment, cells, side)
            if picture.size != size:  # from an earlier start, with other settings
                picture = picture.resize(size, Image.Resampling.NEAREST)
            before = moment, caption.below(picture, moment) if caption else picture
        yield before[1]


def _read(moment: Moment, cells: tuple[int, int] | None, side: int | None) -> Image.Image:
    try:
        with Image.open(moment.path) as file:
            file.load()  # needed where `convert` returns the picture itself
            picture = convert(file, 3)
    except (OSError, SyntaxError, ValueError, Rejected) as error:
        raise RunError(f"{moment.path} cannot be read: {error}") from error
    if cells is None or side is None:
        return picture
    columns, rows = picture.width // side, picture.height // side
    if cells[0] > columns or cells[1] > rows:
        raise ConfigError(f"the run's grids have {columns}x{rows} pictures, not {cells[0]}x{cells[1]}")
    return picture.crop((0, 0, cells[0] * side, cells[1] * side))


class Caption:
    """Text below the pictures of a film: on one line or, if any caption would be too wide for that, on several."""

    def __init__(self, width: int, shown: list[Moment]) -> None:
        self.size = max(12, min(28, width // 36))
        self.font = ImageFont.load_default(self.size)
        widest = max(self.font.getlength(GAP.join(words)) for words in {moment.words for moment in shown})
        self.lines = 1 if widest + self.size <= width else max(len(moment.words) for moment in shown)

    def below(self, picture: Image.Image, moment: Moment) -> Image.Image:
        """The picture with its caption."""
        text = (GAP if self.lines == 1 else "\n").join(moment.words)
        room = round(self.size * (1 + 1.25 * self.lines))
        sheet = Image.new("RGB", (picture.width, picture.height + room), PAPER)
        sheet.paste(picture)
        place = (self.size // 2 if self.lines == 1 else 2, picture.height + self.size // 2)
        ImageDraw.Draw(sheet).multiline_text(place, text, INK, self.font, spacing=self.size // 4)
        return sheet
