"""The authors' TensorFlow release: pickles of `tfutil.Network`, as (G, D, Gs) or one by one.

Its state, version 2: `name`, `static_kwargs` (arguments of the build function), `build_module_src` (source code, which
plain unpickling runs; here it stays text), `build_func_name` and `variables`, pairs of a name and an array. Layouts
follow the release's networks.py: convolutions [k, k, in, out], upscaling fused with its convolution [k, k, out, in].
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from growgan.core.config import NetworkSpec
from growgan.core.geometry import LOWEST, log2, stage_name
from growgan.core.trees import show
from growgan.models.foreign.arrays import Array
from growgan.models.foreign.layout import Filling, Imported, Weights, checked_size, he, make_spec
from growgan.models.foreign.machine import Refused, Thing
from growgan.networks.layers import HE_GAIN

ORIGIN = "the authors' TensorFlow release"
PLACES = ("G", "D", "G_ema")
"""Roles of the networks in a triple."""
SHARED = ("num_channels", "resolution", "label_size", "fmap_base", "fmap_decay", "fmap_max")
"""Arguments that G and D must agree on."""
DEFAULTS: dict[str, Any] = {
    "num_channels": 1,
    "resolution": 32,
    "label_size": 0,
    "fmap_base": 8192,
    "fmap_decay": 1.0,
    "fmap_max": 512,
    "latent_size": None,
    "normalize_latents": True,
    "use_wscale": True,
    "use_pixelnorm": True,
    "pixelnorm_epsilon": 1e-8,
    "use_leakyrelu": True,
    "mbstd_group_size": 4,
}
"""Defaults of the release's build functions."""


def matches(content: Any) -> bool:
    """Whether a pickle holds networks of the release."""
    return bool(_networks(content))


def read(content: Any) -> Imported:
    """G, D and G_ema of a pickle of the release. Raises `Refused`."""
    return assemble(ORIGIN, {name: _described(thing) for name, thing in _networks(content).items()})


def named_networks(content: Any, path: str) -> dict[str, Thing]:
    """The objects of class `path` in a triple, or alone, by role; empty if there are others."""
    things = list(content) if isinstance(content, tuple | list) and len(content) <= len(PLACES) else [content]
    if not things or not all(isinstance(thing, Thing) and thing.path == path for thing in things):
        return {}
    if len(things) == len(PLACES):
        return dict(zip(PLACES, things))
    kinds = ["D" if _function(thing).startswith("D") else _generator_kind(thing) for thing in things]
    if len(set(kinds)) < len(kinds):
        raise Refused("it has two networks of one kind and no third to tell which is which")
    return dict(zip(kinds, things))


def assemble(origin: str, described: dict[str, dict[str, Any]]) -> Imported:
    """Our networks from their descriptions: `kwargs` and `variables` (name to array) of each."""
    if "D" in described and len(described) == 1:
        raise Refused("it holds only a discriminator, no generator")
    first = described.get("G_ema") or described["G"]
    kwargs, d_kwargs = first["kwargs"], described["D"]["kwargs"] if "D" in described else None
    remarks = []
    if d_kwargs is not None:
        unlike = next((key for key in SHARED if d_kwargs[key] != kwargs[key]), None)
        if unlike or "unlike" in described["D"]:
            why = described["D"].get("unlike") or f"its {unlike} differs from G's"
            remarks.append(f"D was left out: {why}")
            d_kwargs = None
    spec = _spec(kwargs, d_kwargs, described["D"]["variables"] if d_kwargs else {}, first.get("variant", {}))
    states, lod = {}, None
    for name, network in described.items():
        if name == "D" and d_kwargs is None:
            continue
        if network["kwargs"].get("build_func_name", name[0])[0] != name[0]:
            raise Refused(f"its network {name} is built by {network['kwargs']['build_func_name']}")
        if name != "D" and any(network["kwargs"][key] != kwargs[key] for key in DEFAULTS):
            raise Refused("its two generators are built with different arguments")
        weights = Weights(network["variables"], name)
        reached = _lod(weights)
        lod = reached if name == "G_ema" or lod is None else lod
        fill = Filling(name[0], spec, name)
        (_fill_generator if name[0] == "G" else _fill_discriminator)(fill, weights, network["kwargs"], spec)
        weights.finish()
        states[name] = fill.finish()
    resolution, alpha = _reached(spec, lod or 0.0)
    return Imported(origin, spec, states, {"resolution": resolution, "alpha": alpha}, remarks)


def _networks(content: Any) -> dict[str, Thing]:
    return named_networks(content, "tfutil.Network")


def _generator_kind(thing: Thing) -> str:
    """G or its average, by the name that the release's training gives to it."""
    return "G_ema" if thing.attributes.get("name") == "Gs" else "G"


def _function(thing: Thing) -> str:
    """Name of the function that builds a network, in either release."""
    spec = thing.attributes.get("build_func_spec")
    name = thing.attributes.get("build_func_name", spec.get("func") if isinstance(spec, dict) else None)
    if not isinstance(name, str):
        raise Refused("it has a network without its build function")
    return name


def _described(thing: Thing) -> dict[str, Any]:
    """Arguments and variables of a network."""
    state, function = thing.attributes, _function(thing)
    if state.get("version") != 2:
        raise Refused(f"it has a network of version {show(state.get('version'))}; 2 is supported")
    if function not in ("G_paper", "D_paper"):
        raise Refused(f"it has a network built by {function[:40]}; only G_paper and D_paper are progressive GANs")
    kwargs, variables = state.get("static_kwargs"), state.get("variables")
    if not isinstance(kwargs, dict) or not isinstance(variables, list | tuple):
        raise Refused("it has a network without arguments or variables")
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in variables):
        raise Refused("it has a network whose variables are not pairs of a name and an array")
    named = dict(variables)
    if len(named) != len(variables):
        raise Refused("it has two variables of the same name")
    return {"kwargs": described_kwargs(kwargs) | {"build_func_name": function}, "variables": named}


def described_kwargs(kwargs: dict[Any, Any], defaults: dict[str, Any] = DEFAULTS) -> dict[str, Any]:
    """Arguments of a build function as plain numbers, with defaults for those not given."""
    found = {key: kwargs.get(key, default) for key, default in defaults.items()}
    plain = {key: v.numpy().item() if isinstance(v, Array) and v.shape == () else v for key, v in found.items()}
    for key, value in plain.items():
        if value is not None and not isinstance(value, int | float | bool):
            raise Refused(f"it has a network whose argument {key} is not a number")
        if isinstance(value, float) and not math.isfinite(value):
            raise Refused(f"it has a network whose argument {key} is not finite")
    return plain


def _spec(
    kwargs: dict[str, Any], d_kwargs: dict[str, Any] | None, d_variables: dict[str, Any], variant: dict[str, Any]
) -> NetworkSpec:
    fields: dict[str, Any] = {
        "resolution": checked_size(kwargs["resolution"]),
        "channels": kwargs["num_channels"],
        "num_labels": kwargs["label_size"],
        "latent_size": kwargs["latent_size"],
        "fmap_base": _integer(kwargs["fmap_base"]),
        "fmap_decay": kwargs["fmap_decay"],
        "fmap_max": kwargs["fmap_max"],
        "normalize_latents": bool(kwargs["normalize_latents"]),
        "pixelnorm": bool(kwargs["use_pixelnorm"]),
        "wscale": bool(kwargs["use_wscale"]),
        "leaky_relu": bool(kwargs["use_leakyrelu"]),
        "variant": {"norm_eps": kwargs["pixelnorm_epsilon"], **variant},
    }
    if d_kwargs is not None:
        fields["stddev_group"] = d_kwargs["mbstd_group_size"]
        fused = any(name.endswith("/Conv1_down/weight") for name in d_variables)
        fields["d_down"] = "pool_act" if fused else "act_pool"
    return make_spec(**fields)


def _integer(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value == int(value) else value


def _lod(weights: Weights) -> float:
    if "lod" not in weights:
        return 0.0
    found = weights.values.pop("lod")
    value = found.numpy().item() if isinstance(found, Array) and found.shape in ((), (1,)) else found
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused(f"{weights.where} has a lod that is not a number")
    return float(value)


def _reached(spec: NetworkSpec, lod: float) -> tuple[int, float]:
    """Resolution and alpha: lod counts the missing doublings, its fraction the missing part of the newest one."""
    lod = min(max(lod, 0.0), float(log2(spec.resolution // LOWEST)))
    whole = math.floor(lod)
    return spec.resolution >> whole, 1.0 - (lod - whole)


def _conv(weight: Tensor) -> Tensor:
    """[k, k, in, out] to [out, in, k, k]."""
    return weight.permute(3, 2, 0, 1)


def _fused_up(weight: Tensor) -> Tensor:
    """[k, k, out, in] of a transposed convolution to [out, in, k, k] of a plain one: rotated by 180 degrees."""
    return weight.flip(0, 1).permute(2, 3, 0, 1)


class _Layers:
    """Copies layers of the release, by its names, into ours."""

    def __init__(self, fill: Filling, weights: Weights, kwargs: dict[str, Any]) -> None:
        self.fill, self.weights, self.wscale = fill, weights, bool(kwargs["use_wscale"])

    def conv(self, ours: str, theirs: str, gain: float = HE_GAIN) -> None:
        self.weights.shape(f"{theirs}/weight", 4)
        up = theirs.endswith("_up")
        weight = (_fused_up if up else _conv)(self.weights.take(f"{theirs}/weight"))
        self._put(ours, theirs, weight, gain)

    def dense(self, ours: str, theirs: str, gain: float = HE_GAIN) -> None:
        self.weights.shape(f"{theirs}/weight", 2)
        self._put(ours, theirs, self.weights.take(f"{theirs}/weight").T, gain)

    def _put(self, ours: str, theirs: str, weight: Tensor, gain: float) -> None:
        scale = he(weight, gain) if self.wscale else 1.0
        self.fill.put(ours, weight, self.weights.take(f"{theirs}/bias"), scale)


def _fill_generator(fill: Filling, weights: Weights, kwargs: dict[str, Any], spec: NetworkSpec) -> None:
    layers = _Layers(fill, weights, kwargs)
    layers.dense("4x4.dense", "4x4/Dense", HE_GAIN / 4)
    layers.conv("4x4.conv", "4x4/Conv")
    for size in spec.stages:
        name = stage_name(size)
        layers.conv(f"{name}.torgb", f"ToRGB_lod{log2(spec.resolution // size)}", gain=1)
        if size > LOWEST:
            fused = f"{name}/Conv0_up/weight" in weights
            layers.conv(f"{name}.conv0", f"{name}/Conv0_up" if fused else f"{name}/Conv0")
            layers.conv(f"{name}.conv1", f"{name}/Conv1")


def _fill_discriminator(fill: Filling, weights: Weights, kwargs: dict[str, Any], spec: NetworkSpec) -> None:
    layers = _Layers(fill, weights, kwargs)
    for size in spec.stages:
        name = stage_name(size)
        layers.conv(f"{name}.fromrgb", f"FromRGB_lod{log2(spec.resolution // size)}")
        if size > LOWEST:
            layers.conv(f"{name}.conv0", f"{name}/Conv0")
            layers.conv(f"{name}.conv1", f"{name}/Conv1_down" if spec.d_down == "pool_act" else f"{name}/Conv1")
    layers.conv("4x4.conv", "4x4/Conv")
    layers.dense("4x4.dense0", "4x4/Dense0")
    layers.dense("4x4.dense1", "4x4/Dense1", gain=1)
