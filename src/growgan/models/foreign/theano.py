"""The authors' older Theano version: pickles of `network.Network`, written by Python 2.

Its state: `build_func_spec` (function and arguments), `param_values` (arrays in layer order, without names) and
`toplevel_params` (`cur_lod`). Each layer has its weight, its run-time scale if it is scaled, and its bias. Theano's
convolutions rotate their kernels by 180 degrees. Here the arrays get the names and layouts of the TensorFlow release.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch import Tensor

from growgan.core.geometry import LOWEST, log2, stage_name, stages
from growgan.core.trees import show
from growgan.models.foreign import release
from growgan.models.foreign.arrays import Array, float_tensor
from growgan.models.foreign.layout import Imported, checked_size
from growgan.models.foreign.machine import Refused, Thing

ORIGIN = "the authors' Theano version"
FUNCTIONS = {"G_paper": "G", "G_progressive_8": "G", "D_paper": "D", "D_progressive_8": "D"}
DEFAULTS = release.DEFAULTS | {"fmap_base": 4096, "fmap_max": 256, "mbstd_group_size": None}
"""Defaults; minibatch stddev compares the whole minibatch."""

Array_ = np.ndarray
Turn = Callable[[Array_], Array_]


class Plain:
    """An array converted to the release's layout."""

    def __init__(self, values: Array_) -> None:
        self.values = values

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.values.shape

    def tensor(self) -> Tensor:
        """Its values, float32."""
        return float_tensor(self.values)


def matches(content: Any) -> bool:
    """Whether a pickle holds networks of the Theano version."""
    return bool(release.named_networks(content, "network.Network"))


def read(content: Any) -> Imported:
    """G, D and G_ema of a pickle of the Theano version. Raises `Refused`."""
    networks = release.named_networks(content, "network.Network")
    return release.assemble(ORIGIN, {name: _described(thing) for name, thing in networks.items()})


def _described(thing: Thing) -> dict[str, Any]:
    state = thing.attributes
    spec, values, top = (state.get(key) for key in ("build_func_spec", "param_values", "toplevel_params"))
    if not isinstance(spec, dict) or not isinstance(values, list):
        raise Refused("it has a network without arguments or weights")
    function = spec.get("func")
    kind = FUNCTIONS.get(function) if isinstance(function, str) else None
    if kind is None:
        raise Refused(f"it has a network built by {show(function)}, which is not a progressive GAN")
    kwargs = release.described_kwargs(spec, DEFAULTS) | {"build_func_name": f"{kind}_paper"}
    described: dict[str, Any] = {"kwargs": kwargs, "variables": {}}
    unlike = _unlike(kind, spec)
    if unlike and kind == "G":
        raise Refused(f"its generator has {unlike}, which growgan does not support")
    if unlike:
        return described | {"unlike": f"it has {unlike}, which growgan does not support"}
    if kind == "D" and spec.get("mbstat_avg", "all") is None:
        kwargs["mbstd_group_size"] = 0
    if kind == "G":
        described["variant"] = {
            "labels_normed": not kwargs["label_size"],
            "tanh": spec.get("tanh_at_end") is not None,
        }
    arrays = _Arrays(values, bool(kwargs["use_wscale"]))
    layers = _generator if kind == "G" else _discriminator
    described["variables"] = dict(layers(arrays, checked_size(kwargs["resolution"]), bool(kwargs["label_size"])))
    arrays.finish()
    lod = top.get("cur_lod", 0.0) if isinstance(top, dict) else 0.0
    described["variables"]["lod"] = lod
    return described


def _unlike(kind: str, spec: dict[Any, Any]) -> str:
    """What a network has that growgan does not support; empty if nothing."""
    if kind == "G":
        if spec.get("tanh_at_end") not in (None, True, 1.0):
            return "a scale after its tanh"
        return "batch normalisation" if spec.get("use_batchnorm") else ""
    if spec.get("use_layernorm"):
        return "layer normalisation"
    if spec.get("mbdisc_kernels"):
        return "minibatch discrimination"
    if (spec.get("mbstat_func", "Tstdeps"), spec.get("mbstat_avg", "all")) not in (
        ("Tstdeps", "all"),
        ("Tstdeps", None),
    ):
        return "another kind of minibatch statistic"
    return ""


class _Arrays:
    """The arrays of a network, one layer after another."""

    def __init__(self, values: list[Any], wscale: bool) -> None:
        self.values, self.wscale, self.taken = values, wscale, 0

    def next(self, axes: int) -> Array_:
        if self.taken >= len(self.values):
            raise Refused(f"it has a network of {len(self.values)} arrays, which is too few")
        value = self.values[self.taken]
        self.taken += 1
        found = value.numpy() if isinstance(value, Array) else np.asarray(value if isinstance(value, float) else None)
        if found.dtype == object or found.ndim != axes:
            raise Refused(f"it has a network whose array {self.taken} does not have {axes} axes")
        return found

    def layer(self, name: str, axes: int, turn: Turn, gain: float) -> Iterator[tuple[str, Plain]]:
        """Weight and bias of a layer, under the release's names; the scale is folded into the weight."""
        weight = turn(self.next(axes))
        if self.wscale:
            # The release's factor in place of the stored scale, which is the standard deviation of the initial weights.
            he = gain / math.sqrt(max(1, math.prod(weight.shape[:-1])))
            with np.errstate(all="ignore"):
                weight = weight * (float(self.next(0)) / he)
        yield f"{name}/weight", Plain(weight)
        yield f"{name}/bias", Plain(self.next(1))

    def finish(self) -> None:
        if self.taken < len(self.values):
            raise Refused(f"it has a network of {len(self.values)} arrays, of which only {self.taken} were expected")


RELU, LINEAR = float(np.sqrt(2)), 1.0


def _conv(w: Array_) -> Array_:
    return w.transpose(2, 3, 1, 0)[::-1, ::-1]


def _point(w: Array_) -> Array_:
    return w[np.newaxis, np.newaxis]


def _first(w: Array_) -> Array_:
    """[out, in, 4, 4] of a full convolution of one pixel, whose two rotations cancel, to [in, out * 16]."""
    return w.transpose(1, 0, 2, 3).reshape(w.shape[1], -1)


def _last(w: Array_) -> Array_:
    """[out, in, 4, 4] to [in * 16, out]."""
    return w[:, :, ::-1, ::-1].reshape(w.shape[0], -1).T


def _generator(arrays: _Arrays, resolution: int, _: bool) -> Iterator[tuple[str, Plain]]:
    yield from arrays.layer("4x4/Dense", 4, _first, RELU / 4)
    yield from arrays.layer("4x4/Conv", 4, _conv, RELU)
    for size in stages(resolution)[1:]:
        for layer in ("Conv0", "Conv1"):
            yield from arrays.layer(f"{stage_name(size)}/{layer}", 4, _conv, RELU)
    for lod in range(log2(resolution // LOWEST) + 1):
        yield from arrays.layer(f"ToRGB_lod{lod}", 2, _point, LINEAR)


def _discriminator(arrays: _Arrays, resolution: int, labels: bool) -> Iterator[tuple[str, Plain]]:
    yield from arrays.layer("FromRGB_lod0", 2, _point, RELU)
    for size in reversed(stages(resolution)[1:]):
        for layer in ("Conv0", "Conv1"):
            yield from arrays.layer(f"{stage_name(size)}/{layer}", 4, _conv, RELU)
        yield from arrays.layer(f"FromRGB_lod{log2(resolution // size) + 1}", 2, _point, RELU)
    yield from arrays.layer("4x4/Conv", 4, _conv, RELU)
    yield from arrays.layer("4x4/Dense0", 4, _last, RELU)
    scores = dict(arrays.layer("4x4/Dense1", 2, np.asarray, LINEAR))
    if labels:  # a separate layer there, more columns of the same layer here
        logits = dict(arrays.layer("4x4/Dense1", 2, np.asarray, LINEAR))
        scores = {
            name: Plain(np.concatenate([part.values, logits[name].values], axis=-1)) for name, part in scores.items()
        }
    yield from scores.items()
