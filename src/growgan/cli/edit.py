"""``growgan edit``: pictures moved along directions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from growgan.cli.model import PRECISIONS, add_latents, add_making, add_model, found_latents, load_model
from growgan.cli.parsing import check_png, parse_seeds
from growgan.core.errors import ConfigError
from growgan.core.files import check_own
from growgan.core.progress import Progress, warn

if TYPE_CHECKING:
    from growgan.editing.directions import Directions
    from growgan.editing.projected import Projected
    from growgan.sampling.base import BaseModel
    from growgan.sampling.latents import Label
    from growgan.sampling.walks import Walk

TOGETHER = 1000
"""Latents moved at once."""
SUMMARY = "edit pictures by moving their latents along directions (growgan directions)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_model(parser)
    parser.add_argument(
        "--move", required=True, metavar="NAME:A,...", help="directions and how far, e.g. 2:0.5 or smile:0.4,1:-0.3"
    )
    parser.add_argument(
        "--directions", type=Path, metavar="FILE", help="from growgan directions (default: the model's own, by number)"
    )
    add_latents(parser, "e.g. 0-3 or 3,7,100-120 (default 0-3)", usual="0-3")
    parser.add_argument(
        "--out", type=Path, default=Path("edit.png"), metavar="FILE", help=".png: the edit in steps; .mp4, .gif, ...: "
        "a film there and back; folder: the edited pictures (default edit.png)"
    )  # fmt: skip
    parser.add_argument("--steps", type=int, default=5, metavar="N", help="steps of the edit, for .png (default 5)")
    parser.add_argument("--seconds", type=float, default=4.0, metavar="S", help="length of the film (default 4)")
    parser.add_argument("--fps", type=float, default=30.0, metavar="F", help="frames per second (default 30)")
    add_making(parser, sizes=True)


def run(args: argparse.Namespace) -> int:
    """Write a sheet, a film or pictures."""
    from growgan.editing import directions
    from growgan.editing.moves import parse
    from growgan.sampling import films

    seeds, moves = parse_seeds(args.seeds), parse(args.move)
    kind = args.out.suffix.lower()
    if args.steps < 2:
        raise ConfigError(f"--steps must be at least 2, not {args.steps}")
    if kind not in films.STILLS:
        check_png(args.out)
    films.check(args.out, args.fps)
    check_own(args.out)
    frames = films.frames_in(args.seconds, args.fps)
    found = directions.read(args.directions) if args.directions is not None else None
    model = load_model(args.model, args.device, PRECISIONS[args.precision])
    label = model.label(args.label) if args.label is not None else None
    if found is None:
        found = directions.of_weights(model, model.spec.z_size)
    elif found.model != model.file.hash:
        warn(f"{args.directions} was made from a different model file")
    photos, of = None, {"seeds": args.seeds}
    if args.latents is not None:
        photos, of = found_latents(args.latents, model, label)
    edit = _Edit(model, found, moves, seeds, photos, of, label, args)
    if kind == ".png":
        edit.write_sheet(args.out, args.steps)
    elif kind:
        edit.write_film(args.out, frames, args.fps)
    else:
        edit.write_pictures(args.out)
    print(f"by {model.describe()}", file=sys.stderr)
    print(args.out)
    return 0


class _Shown(TypedDict):
    size: int
    truncation: float
    batch: int


@dataclass(frozen=True)
class _Edit:
    """Pictures, and the moves to apply to them."""

    model: BaseModel
    directions: Directions
    moves: dict[str, float]
    seeds: Sequence[int]
    photos: Projected | None
    """Used instead of seeds."""
    of: dict[str, str]
    """Metadata about the pictures' origin."""
    label: Label | None
    args: argparse.Namespace

    @property
    def numbers(self) -> Sequence[int]:
        """Seeds, or numbers of photographs."""
        return range(len(self.photos.names)) if self.photos is not None else self.seeds

    @property
    def shown(self) -> _Shown:
        """Arguments for how pictures are shown."""
        size = self.model.shown_size(self.args.size)
        return {"size": size, "truncation": self.args.truncation, "batch": self.args.batch}

    @property
    def notes(self) -> dict[str, str]:
        """Metadata of every picture."""
        args = self.args
        notes = {"model": self.model.file.hash, "move": args.move}
        notes |= {"directions": f"{self.directions.method} of {self.directions.model}"}
        size = str(self.shown["size"])
        return notes | {"truncation": f"{args.truncation:g}", "size": size, "precision": args.precision}

    def origin(self, some: slice = slice(None)) -> Walk:
        """Some or all of the pictures, unmoved."""
        from growgan.sampling import walks

        if self.photos is not None:
            return self.photos.walk(self.model).cells(some)
        return walks.still(self.seeds[some], self.model.spec, self.model.distribution, label=self.label)

    def write_sheet(self, out: Path, steps: int) -> None:
        """Write a sheet with a row per picture and a column per step."""
        import numpy as np

        from growgan.editing import sheet
        from growgan.sampling import films
        from growgan.sampling.images import save_png

        size = self.shown["size"]
        films.check(out, 1, 1, (steps * size, len(self.numbers) * size))
        way = [sheet.part(self.moves, t) for t in np.linspace(0, 1, steps)]
        walk = sheet.edit(sheet.moved(self.model, self.directions, way, self.origin()))
        (picture,) = self.model.frames(walk, columns=steps, **self.shown)
        save_png(out, picture, self.notes | self.of)

    def write_film(self, out: Path, frames: int, fps: float) -> None:
        """Write a film: there and back, all pictures side by side."""
        from growgan.editing import sheet
        from growgan.sampling import films

        size, columns = self.shown["size"], min(len(self.numbers), 8)
        films.check(out, fps, frames, (columns * size, -(-len(self.numbers) // columns) * size))
        way = sheet.there_and_back(self.moves, frames)
        walk = sheet.moved(self.model, self.directions, way, self.origin())
        with Progress(frames, "frames") as progress:
            made = progress.counting(self.model.frames(walk, columns=columns, **self.shown))
            films.write(out, made, fps, self.notes | self.of)

    def write_pictures(self, folder: Path) -> None:
        """Write each picture at the end of its move."""
        from growgan.editing import sheet
        from growgan.sampling.images import save_png

        what = "photo" if self.photos is not None else "seed"
        places = {number: folder / f"{what}{number:04d}.png" for number in self.numbers}
        for place in places.values():
            check_own(place)
        with Progress(len(self.numbers), "pictures") as progress:
            for start in range(0, len(self.numbers), TOGETHER):
                some = slice(start, start + TOGETHER)
                walk = sheet.apart(sheet.moved(self.model, self.directions, [self.moves], self.origin(some)))
                labels = walk.labels[:, 0] if walk.labels is not None else None
                words = self.model.words(labels) or [""] * len(walk.z)
                pictures = progress.counting(self.model.frames(walk, **self.shown))
                for number, name, picture in zip(self.numbers[some], words, pictures):
                    told = self.notes | {what: str(number)} | ({"class": name} if name else {})
                    told |= self.of | {"photograph": self.photos.names[number]} if self.photos is not None else {}
                    save_png(places[number], picture, told)
