"""Plans in, pictures out: the studio without its pages. Used by one thread at a time (`render_queue`)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from growgan import __version__
from growgan.core.errors import ConfigError, ModelError, UserError
from growgan.core.runfiles import RunFiles
from growgan.data.image_metadata import metadata_for
from growgan.editing import directions, sheet
from growgan.editing.directions import Directions
from growgan.editing.projected import Projected
from growgan.sampling import images, walks
from growgan.sampling.base import BaseModel
from growgan.sampling.films import CODECS, STILLS, frames_in
from growgan.sampling.films import check as check_film
from growgan.sampling.sources import find
from growgan.sampling.walks import Walk
from growgan.studio.plans import Film, Frame, Key, Look, Random, Said, Sheet, There, Through, Way

SHOWN_DIRECTIONS = 12
"""A model's own directions that have a slider: those to which it reacts most."""
FAST = 1
"""PNG compression level: pictures are viewed once, and usually stay on one machine."""


@dataclass(frozen=True)
class Given:
    """What was named on the command line in addition to models."""

    directions: Directions | None = None
    directions_path: Path | None = None
    photographs: Projected | None = None
    photographs_path: Path | None = None
    photographs_hash: str = ""
    """Beginning of their file's SHA-256, for the metadata of pictures."""
    options: tuple[str, ...] = ()
    """Options that equivalent commands need too: precision and device."""


@dataclass(frozen=True)
class Opened:
    """A loaded model."""

    name: str
    model: BaseModel
    stamp: tuple[str, int]
    """Path and modification time of its file."""
    found: Directions | None
    """Directions that its latents can be moved along."""
    from_file: bool
    """Whether they were given on the command line; else they are the model's own."""
    photographs: Projected | None
    options: tuple[str, ...]
    """See `Given`."""
    taught: tuple[str, ...] = ()
    """Names of the directions that were fitted in the studio."""

    @property
    def foreign(self) -> bool:
        """Whether its directions were made for another model file."""
        return self.found is not None and self.found.model != self.model.file.hash

    @property
    def photographs_foreign(self) -> bool:
        """Whether the photographs were projected into another model file."""
        return self.photographs is not None and self.photographs.model != self.model.file.hash

    @cached_property
    def version(self) -> str:
        """A hash that changes when a picture may: with model, directions, photographs, or how they are computed."""
        digest = sha256(f"{__version__} {self.model.file.hash} {self.options}".encode())
        if self.found is not None:
            digest.update(repr(self.found.names).encode() + self.found.vectors.tobytes())
        if self.photographs is not None:
            some = (self.photographs.z, self.photographs.labels, self.photographs.offset)
            digest.update(b"".join(one.tobytes() for one in some if one is not None))
        return digest.hexdigest()[:16]


class Studio:
    """One or more models, and what is made with them.

    sources: names of models, as `growgan.load` takes them. load: opens one. batch: pictures computed at once.
    """

    def __init__(
        self, sources: Sequence[str], load: Callable[[str], BaseModel], given: Given | None = None, batch: int = 8
    ) -> None:
        self.names = tuple(dict.fromkeys(sources))
        self.given = given or Given()
        self.batch = batch
        self._load = load
        self._opened: dict[str, Opened] = {}
        self._last: tuple[Any, Walk] | None = None

    def open(self, name: str, anew: bool = False) -> Opened:
        """A model by its name. anew: check whether its run has a better one. Raises `UserError`."""
        if name not in self.names:
            raise ConfigError(f"this studio has no model {name[:80]!r}; it has: {', '.join(self.names)}")
        before = self._opened.get(name)
        if before is not None and not (anew and RunFiles(Path(name)).models.is_dir()):
            return before
        try:
            path = find(name)
            stamp = str(path), path.stat().st_mtime_ns
            if before is None or before.stamp != stamp:
                self._opened[name] = self._made_ready(name, stamp)
                self._last = None
        except (OSError, UserError):
            if before is None:
                raise
            return before  # its run is deleting that snapshot
        return self._opened[name]

    def _made_ready(self, name: str, stamp: tuple[str, int]) -> Opened:
        model, given = self._load(name), self.given
        found = given.directions
        try:
            if found is not None:
                found.check(model)
        except ConfigError:  # latents of a different length
            found = None
        from_file = found is not None
        try:
            if found is None:
                found = directions.of_weights(model, model.spec.z_size)
        except ConfigError:  # the file has no weights
            found = None
        photographs = self.given.photographs
        try:
            if photographs is not None:
                photographs.walk(model)
        except ConfigError:  # different latents or labels
            photographs = None
        return Opened(name, model, stamp, found, from_file, photographs, given.options)

    def is_current(self, name: str, version: str) -> bool:
        """Whether a version is that of the model as currently open: its pictures will not change."""
        opened = self._opened.get(name)
        return opened is not None and opened.version == version

    def try_given(self) -> None:
        """Raise `ConfigError` if the given directions or photographs fit none of the models."""
        given = self.given
        if given.directions is None and given.photographs is None:
            return
        opened = []
        for name in self.names:
            try:
                opened.append(self.open(name))
            except ModelError:  # a run without a model so far
                return
        if given.directions is not None and not any(one.from_file for one in opened):
            raise ConfigError(f"{given.directions_path} fits none of these models: its latents have a different length")
        if given.photographs is not None and not any(one.photographs for one in opened):
            raise ConfigError(f"{given.photographs_path} fits none of these models: projected with a different one")

    def describe(self, name: str, anew: bool = False) -> dict[str, Any]:
        """What a page needs to know about a model, JSON values. anew: see `open`; a new snapshot has nothing taught."""
        opened = self.open(name, anew)
        model, found = opened.model, opened.found
        shown = list(zip(found.names, found.weights)) if found is not None else []
        given, taught = self.given, [one for one in shown if one[0] in opened.taught]
        others = [one for one in shown if one[0] not in opened.taught]
        shown = [*taught, *(others if opened.from_file else others[:SHOWN_DIRECTIONS])]
        return {
            "name": name,
            "hash": model.file.hash,
            "version": opened.version,
            "path": str(model.file.path),
            "reached": model.file.describe(),
            "resolution": model.resolution,
            "labels": model.class_names,
            "attributes": model.spec.multi_label,
            "directions": [{"name": n, "weight": w, "taught": n in opened.taught} for n, w in shown],
            "directions_file": str(given.directions_path) if opened.from_file else None,
            "directions_foreign": opened.foreign,
            "photographs": list(opened.photographs.names) if opened.photographs is not None else [],
            "photographs_file": str(given.photographs_path) if opened.photographs is not None else None,
            "photographs_foreign": opened.photographs_foreign,
            "measures": {
                measure: found.get("value") if isinstance(found, dict) else found
                for measure, found in sorted(model.file.measures.items())
            },
            "card": {part: text for part, text in model.file.card.items() if isinstance(text, str)},
            "formats": formats(),
            "options": given.options,
        }

    def teach(self, plan: Said) -> float:
        """Fit a direction to labels of some seeds, for as long as the studio and this model are open.

        Returns the part of the labels' variance predicted by leave-one-out. Raises `ConfigError`, also if the name is
        that of a direction that was not fitted here.
        """
        opened = self.open(plan.model)
        if opened.found is not None and plan.name in opened.found.names and plan.name not in opened.taught:
            raise ConfigError(f"a direction {plan.name!r} already exists: choose another name")
        fitted = directions.of_labels(opened.model, {plan.name: plan.labels})
        found = fitted
        if opened.found is not None:  # possibly from another model file, which the page mentions
            found = directions.together(opened.found, replace(fitted, model=opened.found.model))
        taught = (*(name for name in opened.taught if name != plan.name), plan.name)
        self._opened[plan.model] = replace(opened, found=found, taught=taught)
        self._last = None
        return fitted.weights[0]

    def words(self, plan: Sheet) -> list[str]:
        """The class or attributes of each picture of a plan, in words; empty without labels."""
        opened = self.open(plan.look.model)
        return opened.model.words(_first(self._cells(opened, plan.look, plan.keys).labels))

    def pictures(self, look: Look, wanted: Sequence[Key | Frame]) -> list[bytes]:
        """A PNG for each of several pictures of one look, computed together."""
        opened = self.open(look.model)
        each = [self._one(opened, look, one) for one in wanted]
        walk = walks.joined(each, opened.model.spec)
        words = [(opened.model.words(_first(one.labels)) or [""])[0] for one in each]
        shown = opened.model.pictures(walk, truncation=look.truncation, batch=self.batch)
        made = [images.to_picture(picture) for pixels in shown for picture in pixels]
        notes = [self._notes(opened, look, one) for one in wanted]
        return [
            _png(picture, note | ({"class": word} if word else {}))
            for picture, note, word in zip(made, notes, words, strict=True)
        ]

    def sheet(self, plan: Sheet) -> bytes:
        """A grid, as `growgan generate --grid` makes it."""
        opened = self.open(plan.look.model)
        walk = self._cells(opened, plan.look, plan.keys)
        (picture,) = opened.model.frames(walk, columns=plan.columns, truncation=plan.look.truncation, batch=self.batch)
        return _png(picture, self._notes(opened, plan.look, plan))

    def check_film(self, plan: Film) -> tuple[int, int]:
        """The number of frames of a film, and its pixels per side. Raises `UserError` if it cannot be written."""
        frames, size = frames_in(plan.seconds, plan.fps), self.open(plan.look.model).model.shown_size(plan.size)
        check_film(f"film{plan.suffix}", plan.fps, frames, (size, size))
        return frames, size

    def film(self, plan: Film) -> tuple[int, dict[str, str], Iterator[Image.Image]]:
        """The number of frames of a film, its metadata, and the frames. Raises `UserError` before any are made."""
        opened, (frames, size) = self.open(plan.look.model), self.check_film(plan)
        model = opened.model
        walk = self._walk(opened, plan.look, plan.way, frames, plan.fps)
        shown = {"size": size, "truncation": plan.look.truncation, "batch": self.batch}
        made = model.frames(walk, **shown)  # type: ignore[arg-type]
        return frames, self._notes(opened, plan.look, plan), made

    def _one(self, opened: Opened, look: Look, wanted: Key | Frame) -> Walk:
        if isinstance(wanted, Key):
            return self._cells(opened, look, [wanted])
        wanted, at = replace(wanted, at=0), wanted.at
        if self._last is None or self._last[0] != (look, wanted):  # a film is viewed frame by frame
            self._last = (look, wanted), self._walk(opened, look, wanted.way, wanted.frames, wanted.fps)
        return self._last[1].each(lambda one: one[at : at + 1])

    def _walk(self, opened: Opened, look: Look, way: Way, frames: int, fps: float) -> Walk:
        model = opened.model
        match way:
            case Through():
                return walks.through(self._cells(opened, look, way.keys), frames, 1, model.spec)
            case There():
                origin = self._cells(opened, look, [replace(way.key, moves=())])
                moves = sheet.there_and_back(dict(way.key.moves), frames)
                return sheet.moved(model, _directions(opened), moves, origin)
            case Random():
                some = {"seed": way.seed, "sigma": way.smoothing * fps, "label": look.label}
                return walks.smooth(frames, 1, model.spec, model.distribution, **some)  # type: ignore[arg-type]

    def _cells(self, opened: Opened, look: Look, keys: Sequence[Key]) -> Walk:
        """One frame, a cell for each picture."""
        model, parts = opened.model, []
        for photo, group in groupby(keys, lambda key: key.photo):
            some = list(group)
            if photo:
                cells = self._photographs(opened, [key.number for key in some])
            else:
                cells = walks.still([key.number for key in some], model.spec, model.distribution, label=look.label)
            if any(key.moves for key in some):
                found = _directions(opened)
                z = [found.move(one, dict(key.moves)) for one, key in zip(cells.z[0], some, strict=True)]
                cells = replace(cells, z=np.stack(z)[None])
            parts.append(cells)
        return walks.joined(parts, model.spec)

    def _photographs(self, opened: Opened, numbers: list[int]) -> Walk:
        photographs = opened.photographs
        if photographs is None or max(numbers) >= len(photographs.names):
            raise ConfigError(f"this model has no photograph {max(numbers)}")
        return photographs.walk(opened.model).cells(numbers)

    def _notes(self, opened: Opened, look: Look, of: Key | Frame | Sheet | Film) -> dict[str, str]:
        keys = of.keys_used()
        notes = {"model": opened.model.file.hash, "truncation": f"{look.truncation:g}"} | of.told()
        if opened.found is not None and any(key.moves for key in keys):
            notes["directions"] = f"{opened.found.method} of {opened.found.model}"
        if look.label is not None and not (keys and all(key.photo for key in keys)):  # photographs have their own
            notes["class"] = opened.model.class_names[look.label]
        if opened.photographs is not None and any(key.photo for key in keys):
            notes["latents"] = self.given.photographs_hash
            if isinstance(of, Key):
                notes["photograph"] = opened.photographs.names[of.number]
        return notes


def formats() -> list[str]:
    """Suffixes of films that can be written here, the default first."""
    found = []
    for suffix in (*CODECS, *STILLS):
        try:
            check_film(f"film{suffix}", 30)
            found.append(suffix)
        except ConfigError:  # the package av is missing, or lacks an encoder
            continue
    return found


def _directions(opened: Opened) -> Directions:
    if opened.found is None:
        raise ModelError(f"{opened.name} has no directions: its file has no weights, or they are for other latents")
    return opened.found


def _first(labels: np.ndarray | None) -> np.ndarray | None:
    return labels[0] if labels is not None else None


def _png(picture: Image.Image, notes: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", **metadata_for("PNG", notes), compress_level=FAST)
    return buffer.getvalue()
