"""The interface of all loaded models, whatever computes their pictures: from seeds to pictures. Needs no torch."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from operator import index
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypedDict, Unpack, overload

import numpy as np
from PIL import Image

from growgan.core.config import NetworkSpec
from growgan.core.errors import ConfigError
from growgan.core.text import composed
from growgan.models.description import DescribedFile
from growgan.sampling import images, latents
from growgan.sampling.latents import Label
from growgan.sampling.walks import Walk

if TYPE_CHECKING:
    from torch import Tensor

    Numbers = np.ndarray | Tensor | Sequence[Any]
    """Latents [N, L], or labels: int [N], or numbers [N, K]."""
    Seeds = Sequence[int] | np.ndarray

CHUNK = 1000
"""Latents processed together where no pictures are made of them."""
PREVIEW = 256
"""Pixels per side above which a notebook's preview downscales its pictures."""


class Rendering(TypedDict, total=False):
    """How pictures are made: see `BaseModel.sample`."""

    truncation: float
    batch: int


class Drawing(Rendering, total=False):
    """The same, and which pictures."""

    seed: SupportsIndex
    label: Label | str | None


class BaseModel(ABC):
    """A generator with its file, which makes pictures by seed."""

    file: DescribedFile

    @abstractmethod
    def _pictures(
        self, z: np.ndarray, labels: np.ndarray | None, truncation: float, offset: np.ndarray | None = None
    ) -> np.ndarray:
        """Pictures uint8 [N, C, S, S] of latents float32 [N, L] and labels int64 [N] or float32 [N, K].

        offset: float32 [N, width, 4, 4], added to the first layer's output.
        """

    def first_weight(self) -> np.ndarray:
        """The part [outputs, L] of the first dense layer's weight for latents. Raises `ConfigError` without one."""
        raise ConfigError(f"{self.file.path} has no readable weights: use directions from the model file")

    @property
    def spec(self) -> NetworkSpec:
        """The specification of the networks."""
        return self.file.spec

    @property
    def resolution(self) -> int:
        """Resolution of the model's pictures, in pixels per side."""
        return self.file.resolution

    def describe(self) -> str:
        """The file and how far it was trained, in one line."""
        return f"{self.file.path}: {self.file.describe()}"

    def __repr__(self) -> str:
        """Class, file, size, training and labels."""
        kind = "attributes" if self.spec.multi_label else "classes"
        labels = f", {self.spec.num_labels} {kind}" if self.spec.num_labels else ""
        return f"<{type(self).__name__} {self.describe()}{labels}>"

    def preview(self) -> Image.Image:
        """A small grid of the first seeds, at most about 1,000 pixels wide, shown by notebooks."""
        size = self.resolution
        columns, rows = min(max(1024 // size, 3), 8), 2 if size < PREVIEW else 1
        pixels = np.concatenate(list(self.batches(range(columns * rows), batch=columns)))
        factor = max(1, size // PREVIEW)
        return images.make_grid(images.resized(pixels, size // factor), columns)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.preview().save(buffer, format="PNG")
        return buffer.getvalue()

    @overload
    def sample(
        self, n: SupportsIndex = 1, *, kind: Literal["pil"] = "pil", **how: Unpack[Drawing]
    ) -> list[Image.Image]: ...
    @overload
    def sample(self, n: SupportsIndex = 1, *, kind: Literal["numpy"], **how: Unpack[Drawing]) -> np.ndarray: ...
    @overload
    def sample(self, n: SupportsIndex = 1, *, kind: Literal["tensor"], **how: Unpack[Drawing]) -> Tensor: ...

    def sample(
        self,
        n: SupportsIndex = 1,
        *,
        seed: SupportsIndex = 0,
        label: Label | str | None = None,
        truncation: float = 1.0,
        batch: int = 16,
        kind: Literal["pil", "numpy", "tensor"] = "pil",
    ) -> list[Image.Image] | np.ndarray | Tensor:
        """The pictures of seeds ``seed .. seed + n - 1``.

        label: for all pictures a class by number or name, K weights of a mixture that add up to 1, or K attributes;
        else each seed's own (for a class per picture, use `draw`, and `render` with your labels). truncation: psi, 1 =
        off, towards 0 = more alike and more typical. kind: "pil" a list of pictures, "numpy" uint8 [N, H, W, C],
        "tensor" uint8 [N, C, H, W]. Raises `ConfigError` for anything that the model does not have.
        """
        n, seed = index(n), index(seed)  # in NumPy's integer types, 254 + 2 may be 0
        if n < 0:
            raise ConfigError(f"cannot make {n} pictures")
        seeds = range(seed, seed + n)
        return self._as_kind(kind, self.batches(seeds, label=label, truncation=truncation, batch=batch))

    def draw(self, seeds: Seeds, label: Label | str | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """The latents float32 [N, L] of seeds, and their labels int64 [N] or float32 [N, K], or None without labels.

        label: see `sample`. Raises `ConfigError`. They can be mixed, moved, and passed to `render`.
        """
        if isinstance(label, str):
            label = self.label(label)
        return latents.draw_arrays(seeds, self.spec, self.distribution, label)

    @overload
    def render(
        self, z: Numbers, labels: Numbers | None = None, *, kind: Literal["pil"] = "pil", **how: Unpack[Rendering]
    ) -> list[Image.Image]: ...
    @overload
    def render(
        self, z: Numbers, labels: Numbers | None = None, *, kind: Literal["numpy"], **how: Unpack[Rendering]
    ) -> np.ndarray: ...
    @overload
    def render(
        self, z: Numbers, labels: Numbers | None = None, *, kind: Literal["tensor"], **how: Unpack[Rendering]
    ) -> Tensor: ...

    def render(
        self,
        z: Numbers,
        labels: Numbers | None = None,
        *,
        truncation: float = 1.0,
        batch: int = 16,
        kind: Literal["pil", "numpy", "tensor"] = "pil",
    ) -> list[Image.Image] | np.ndarray | Tensor:
        """The pictures of latents [N, L] from any source: `draw`, interpolations, edits, a torch tensor.

        labels: for a model that has labels, int [N] or numbers [N, K]; see `Label`. The rest as in `sample`; for what
        `draw` returns, these are the pictures of its seeds. Raises `ConfigError`.
        """
        points, of = _as_array(z, np.float32), None if labels is None else _as_array(labels)
        if points.ndim != 2:
            raise ConfigError(f"this model's latents are [N, {self.spec.z_size}], not {list(points.shape)}")
        if of is not None and of.ndim not in (1, 2):
            raise ConfigError(f"labels are a class for each latent, or numbers [N, K], not {list(of.shape)}")
        walk = Walk(points[None], of[None] if of is not None else None)
        return self._as_kind(kind, self.pictures(walk, truncation=truncation, batch=batch))

    def _as_kind(self, kind: str, made: Iterable[np.ndarray]) -> list[Image.Image] | np.ndarray | Tensor:
        """Batches of pictures in the requested form. Raises `ConfigError` for an unknown form, before any are made."""
        if kind not in ("pil", "numpy", "tensor"):
            raise ConfigError(f'kind must be "pil", "numpy" or "tensor", not {kind!r}')
        parts, size = list(made), self.resolution
        pixels = np.concatenate(parts) if parts else np.zeros((0, self.spec.channels, size, size), dtype=np.uint8)
        if kind == "tensor":
            import torch

            return torch.from_numpy(pixels)
        if kind == "numpy":
            return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        return [images.to_picture(picture) for picture in pixels]

    def batches(
        self, seeds: Sequence[int], *, label: Label | str | None = None, truncation: float = 1.0, batch: int = 16
    ) -> Iterator[np.ndarray]:
        """The pictures of `seeds` as uint8 [n, C, H, W], `batch` at a time."""
        _check(truncation, batch)
        for start in range(0, len(seeds), batch):
            yield self._pictures(*self.draw(seeds[start : start + batch], label), truncation)

    def pictures(self, walk: Walk, *, truncation: float = 1.0, batch: int = 16, first: int = 0) -> Iterator[np.ndarray]:
        """All cells of all frames from picture `first` on as uint8 [n, C, H, W], `batch` at a time."""
        _check(truncation, batch)
        walk.check(self.spec)
        frames, cells = walk.z.shape[:2]
        for start in range(first, frames * cells, batch):
            at = np.divmod(np.arange(start, min(start + batch, frames * cells)), cells)
            some = walk.each(lambda one, at=at: one[at])  # type: ignore[misc]
            labels = some.labels
            if labels is not None:
                labels = labels.astype(np.int64 if labels.ndim == 1 else np.float32, copy=False)
            yield self._pictures(some.z.astype(np.float32, copy=False), labels, truncation, some.offset)

    def frames(
        self,
        walk: Walk,
        *,
        columns: int = 1,
        size: int | None = None,
        truncation: float = 1.0,
        batch: int = 16,
        first: int = 0,
    ) -> Iterator[Image.Image]:
        """The frames of a film, each a grid of the walk's cells, from frame `first` on.

        columns: cells per row. size: pixels per side of a cell, the model's own times or divided by a power of two;
        None = its own, but at least 64. batch: pictures computed at once. Raises `ConfigError`.
        """
        _check(truncation, batch)
        walk.check(self.spec)
        if columns < 1 or first < 0:
            raise ConfigError(f"a film needs at least one column, and first at least 0, not {columns} and {first}")
        return self._framed(walk, columns, self.shown_size(size), truncation, batch, first)

    def shown_size(self, size: int | None) -> int:
        """Pixels per side at which pictures are shown, see `frames`. Raises `ConfigError` if that is impossible."""
        if size is None:
            return max(self.resolution, images.SMALLEST_SHOWN)
        images.check_size(size, self.resolution)
        return size

    def _framed(
        self, walk: Walk, columns: int, size: int, truncation: float, batch: int, first: int
    ) -> Iterator[Image.Image]:
        cells = walk.z.shape[1]
        made: list[np.ndarray] = []
        for pixels in self.pictures(walk, truncation=truncation, batch=batch, first=first * cells):
            made.extend(images.resized(pixels, size))
            while len(made) >= cells:
                yield images.make_grid(np.stack(made[:cells]), columns, size)
                del made[:cells]

    def label(self, text: str) -> int:
        """The class for a name or number. Raises `ConfigError` if the model does not have it."""
        names = self.file.training.get("class_names") or []
        same = [composed(name) for name in names]
        if composed(text) in same:
            return same.index(composed(text))
        if text in map(str, range(self.spec.num_labels)):
            return int(text)
        if not self.spec.num_labels:
            raise ConfigError("this model has no classes")
        known = ", ".join(names[:20]) if names else f"0 to {self.spec.num_labels - 1}"
        raise ConfigError(f"unknown class {text!r}; this model has: {known}")

    def labels(self, seeds: Sequence[int], label: Label | str | None = None) -> list[str]:
        """The label of each seed in words: its class, or its attributes; empty without labels."""
        if not self.spec.num_labels:
            return []
        words = []
        for start in range(0, len(seeds), CHUNK):
            words.extend(self.words(self.draw(seeds[start : start + CHUNK], label)[1]))
        return words

    def words(self, labels: np.ndarray | None) -> list[str]:
        """Labels, int64 [N] or float [N, K], in words: the class, or all attributes; empty without labels."""
        names = self.class_names
        rows = labels.tolist() if labels is not None else []
        return [
            ", ".join(f"{n} {v:g}" for n, v in zip(names, row)) if isinstance(row, list) else names[row] for row in rows
        ]

    @property
    def class_names(self) -> list[str]:
        """Names of the classes or attributes, or their numbers if they have none; empty without labels."""
        return self.file.training.get("class_names") or [str(k) for k in range(self.spec.num_labels)]

    @property
    def distribution(self) -> dict[str, Any]:
        """Distribution of the training labels, as `latents.label_distribution` wrote it."""
        found = self.file.training.get("labels", {})
        return found if isinstance(found, dict) else {}


def _as_array(values: Any, dtype: type | None = None) -> np.ndarray:
    """An array, or anything that NumPy converts to one; for a torch tensor its values, whatever its device."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if values.is_floating_point() else values  # numpy has no bfloat16
    try:
        return np.asarray(values, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"latents and labels must be arrays of numbers: {error}") from error


def _check(truncation: float, batch: int) -> None:
    if not 0 <= truncation <= 2:
        raise ConfigError(f"truncation must be between 0 and 2, not {truncation}")
    if batch < 1:
        raise ConfigError(f"the batch must be at least 1, not {batch}")
