"""How a run learnt to see: its grids of fakes, which show the same latents all along, as the frames of a film."""

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
from growgan.core.runfiles import images_shown
from growgan.core.schedule import Schedule
from growgan.sampling.images import SMALLEST_SHOWN
from growgan.training.run import RunFolder

PAPER, INK = (0, 0, 0), (230, 230, 230)


@dataclass(frozen=True)
class Moment:
    """A grid of fakes, and when it was drawn."""

    path: Path
    nimg: int
    seconds: float
    """Of training until then."""
    resolution: int
    alpha: float

    def __str__(self) -> str:
        fade = f" ({self.alpha:.0%} faded in)" if self.alpha < 1 else ""
        return f"{self.resolution}x{self.resolution}{fade}   {self.nimg / 1000:,.0f} kimg   {clock(self.seconds)}"


def moments(run: RunFolder) -> list[Moment]:
    """The run's grids, oldest first; times between lines of the log are interpolated. Raises `RunError` without any."""
    grids = run.grids()
    if not run.exists() or not grids:
        raise RunError(f"{run.path} is not a run with grids of fakes")
    config = run.read_config()
    schedule = Schedule(config.schedule, config.optim, config.network.resolution)
    log = run.read_log()
    shown, seconds = [0, *(entry["nimg"] for entry in log)], [0.0, *(entry["seconds"] for entry in log)]
    found = []
    for path in grids:
        nimg = images_shown(path)
        phase = schedule.at(nimg)
        found.append(Moment(path, nimg, float(np.interp(nimg, shown, seconds)), phase.resolution, phase.alpha))
    return found


def chosen(
    found: list[Moment], count: int, warp: float = 1.5, by: Literal["time", "images"] = "time", held: int = 0
) -> list[Moment]:
    """The moment that each of `count` frames shows; the last `held` of them, but never all, show the last moment.

    A film that is at t, from 0 to 1, shows what there was at t^warp of the whole ("time": of training; "images": of
    images shown), as the release's `generate_training_video` does: with more than 1 the lively beginning lasts longer.
    """
    places = [moment.seconds if by == "time" else float(moment.nimg) for moment in found]
    end = max(1, count - 1 - held)
    at = np.minimum(np.arange(count) / end, 1.0) ** warp * places[-1]
    return [found[max(0, bisect_right(places, place) - 1)] for place in at]


def frames(
    moments_: list[Moment], resolution: int, cells: tuple[int, int] | None = None, captions: bool = True
) -> Iterator[Image.Image]:
    """The frames that show `moments_`. resolution: the run's. cells: only the first columns and rows of the grids.

    captions: size, images shown and time of training below. Raises `ConfigError` for more cells than there are.
    """
    before: tuple[Moment, Image.Image] | None = None
    size: tuple[int, int] | None = None
    for moment in moments_:
        if before is None or before[0] is not moment:
            with Image.open(moment.path) as file:
                picture = file.convert("RGB")
            if cells:
                picture = _cut(picture, cells, max(resolution, SMALLEST_SHOWN))
            size = size or picture.size
            if picture.size != size:  # of an earlier start, with other settings
                picture = picture.resize(size, Image.Resampling.NEAREST)
            before = moment, _captioned(picture, str(moment)) if captions else picture
        yield before[1]


def _cut(picture: Image.Image, cells: tuple[int, int], side: int) -> Image.Image:
    columns, rows = picture.width // side, picture.height // side
    if cells[0] > columns or cells[1] > rows:
        raise ConfigError(f"the run's grids have {columns}x{rows} pictures, not {cells[0]}x{cells[1]}")
    return picture.crop((0, 0, cells[0] * side, cells[1] * side))


def _captioned(picture: Image.Image, text: str) -> Image.Image:
    size = max(12, min(28, picture.width // 36))
    sheet = Image.new("RGB", (picture.width, picture.height + 2 * size), PAPER)
    sheet.paste(picture)
    ImageDraw.Draw(sheet).text((size // 2, picture.height + size // 2), text, INK, ImageFont.load_default(size))
    return sheet
