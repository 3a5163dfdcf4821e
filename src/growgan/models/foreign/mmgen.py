"""PGGAN of mmgeneration and MMagic: {'meta', 'state_dict', optimisers, ...} by `torch.save`.

Names begin with generator, generator_ema (in MMagic generator_ema.module) and discriminator; `_curr_scale_int`,
`_curr_transition_weight` and `shown_nkimg` record how far it has grown. Weights scaled at run time end in weight_orig.
The fan-in of a transposed convolution is that of its outputs. The pixel norm adds 1e-6 to the root. D has a 4x4
convolution that it never uses: its last features go straight into the first dense layer. What the weights do not show,
such as whether a convolution is fused with its resampling, is read from the configuration text in `meta`; without one,
the programs' defaults apply.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from growgan.core.config import NetworkSpec
from growgan.core.geometry import LOWEST, stage_name
from growgan.models.foreign.layout import (
    Filling,
    Imported,
    Weights,
    checked_alpha,
    checked_size,
    fit_widths,
    he,
    make_spec,
    sizes_of,
)
from growgan.models.foreign.machine import Refused
from growgan.models.foreign.mmconfig import Options, options_of
from growgan.networks.layers import HE_GAIN

ORIGIN = "mmgeneration / MMagic"
NETWORKS = {"generator_ema": "G_ema", "generator": "G", "discriminator": "D"}
COLOURS = "these programs train on blue, green, red: convert to red, green, blue with --swap-colours"


def matches(content: Any) -> bool:
    """Whether a PyTorch file holds a PGGAN of OpenMMLab."""
    state = content.get("state_dict") if isinstance(content, dict) else None
    return isinstance(state, dict) and any("noise2feat." in str(name) for name in state)


def read(content: Any) -> Imported:
    """G, D and G_ema of a checkpoint. Raises `Refused`."""
    parts, rest = _split(content["state_dict"])
    if "G" not in parts and "G_ema" not in parts:
        raise Refused("it lacks the weights of a generator")
    options = options_of(content.get("meta"))
    first = Weights(parts.get("G_ema") or parts["G"], "generator")
    remarks = [COLOURS]
    if "D" in parts and options.d_unlike:
        remarks.append(f"D was left out: {options.d_unlike}")
        del parts["D"]
    spec = _spec(first, Weights(parts["D"], "discriminator") if "D" in parts else None, options)
    fused = _is_fused(first, spec, options)
    states = {}
    for name, values in parts.items():
        weights, fill = Weights(values, name), Filling(name[0], spec, name)
        if name == "D":
            _fill_discriminator(fill, weights, spec)
        else:
            _fill_generator(fill, weights, spec, fused)
        weights.finish()
        states[name] = fill.finish()
    training = _reached(rest, spec)
    if rest.values:
        raise Refused(f"it has an unexpected weight {min(rest.values)[:80]}")
    return Imported(ORIGIN, spec, states, training, remarks)


def _split(state: dict[Any, Any]) -> tuple[dict[str, dict[str, Any]], Weights]:
    """The weights of each network, and all other entries."""
    parts: dict[str, dict[str, Any]] = {}
    rest = {}
    for key, value in state.items():
        name = str(key).removeprefix("module.")
        network, _, inner = name.partition(".")
        if name.startswith(("noise2feat.", "conv_blocks.", "torgb_layers.")):
            network, inner = "generator", name  # a generator saved on its own
        if network == "generator_ema":
            if inner == "steps":  # number of MMagic's averaging steps
                continue
            inner = inner.removeprefix("module.")
        if network in NETWORKS:
            parts.setdefault(NETWORKS[network], {})[inner] = value
        elif network != "data_preprocessor":
            rest[name] = value
    return parts, Weights(rest, "it")


def _key(weights: Weights, layer: str) -> str:
    """Name of a layer's weight, with or without run-time scaling."""
    name = f"{layer}.weight_orig"
    return name if name in weights else f"{layer}.weight"


def _spec(g: Weights, d: Weights | None, options: Options) -> NetworkSpec:
    stages = sizes_of(sum(str(name).startswith("torgb_layers.") and str(name).endswith(".bias") for name in g.values))
    widths = {size: g.shape(_key(g, f"torgb_layers.{i}.conv"), 4)[1] for i, size in enumerate(stages)}
    labels, hidden = options.label_size, None
    fields: dict[str, Any] = {"stddev_group": 0}
    if d is not None:
        labels = d.shape(_key(d, "decision.linear1"), 2)[0] - 1
        hidden, inputs = d.shape(_key(d, "decision.linear0"), 2)
        fields["stddev_group"] = options.stddev_group if inputs == (widths[LOWEST] + 1) * LOWEST**2 else 0
        fields["d_down"] = "pool_act"  # the programs' other option fails when the network is built
    inputs = g.shape(_key(g, "noise2feat.linear"), 2)[1]
    if not 0 <= labels < inputs:
        raise Refused("its networks disagree about their labels")
    fitted, variant = fit_widths(widths, hidden)
    variant |= {"norm_eps": 1e-6, "norm_eps_outside": True, "d_last_conv": False}
    return make_spec(
        resolution=stages[-1],
        channels=g.shape(_key(g, "torgb_layers.0.conv"), 4)[0],
        num_labels=labels,
        latent_size=inputs - labels,
        variant=variant,
        **fields,
        **fitted,
    )


def _is_fused(g: Weights, spec: NetworkSpec, options: Options) -> bool:
    """Whether G's upscaling convolutions are transposed: seen where the widths differ, else as configured."""
    for i, size in enumerate(spec.stages[1:]):
        below, here = spec.width(size // 2), spec.width(size)
        if below != here:
            return g.shape(_key(g, f"conv_blocks.{2 * i + 1}.conv"), 4)[:2] == (below, here)
    return options.fused_up


def _reached(rest: Weights, spec: NetworkSpec) -> dict[str, Any]:
    training: dict[str, Any] = {"resolution": spec.resolution, "alpha": 1.0}
    for name in ("_curr_scale_int", "_curr_transition_weight", "shown_nkimg", "_next_scale_int"):
        if name not in rest:
            continue
        numbers = rest.take(name)
        value = numbers.item() if numbers.numel() == 1 else math.nan
        if not math.isfinite(value):
            raise Refused(f"it has a {name} that is not a number")
        if name == "_curr_scale_int":
            training["resolution"] = min(checked_size(int(value)), spec.resolution)
        if name == "_curr_transition_weight":
            training["alpha"] = checked_alpha(value)
        if name == "shown_nkimg":
            training["nimg"] = max(0, round(1000 * value))
    if training["resolution"] == LOWEST:
        training["alpha"] = 1.0
    return training


def _put(fill: Filling, weights: Weights, ours: str, theirs: str, gain: float = HE_GAIN) -> None:
    key = _key(weights, theirs)
    weights.shape(key, 2 if ".dense" in ours else 4)
    weight = weights.take(key)
    scale = he(weight, gain) if key.endswith("_orig") else 1.0
    fill.put(ours, weight, weights.take(f"{theirs}.bias"), scale)


def _put_transposed(fill: Filling, weights: Weights, ours: str, theirs: str) -> None:
    """A transposed convolution [in, out, 3, 3], rotated by 180 degrees; its fan-in is that of its outputs."""
    key = _key(weights, theirs)
    weights.shape(key, 4)
    weight = weights.take(key)
    scale = he(weight) if key.endswith("_orig") else 1.0
    fill.put(ours, weight.flip(2, 3).transpose(0, 1), weights.take(f"{theirs}.bias"), scale)


def _fill_generator(fill: Filling, weights: Weights, spec: NetworkSpec, fused: bool) -> None:
    key = _key(weights, "noise2feat.linear")
    weights.shape(key, 2)
    first: Tensor = weights.take(key)
    scale = he(first, HE_GAIN / 4) if key.endswith("_orig") else 1.0
    fill.put("4x4.dense", first, weights.take("noise2feat.bias").flatten(), scale)
    _put(fill, weights, "4x4.conv", "conv_blocks.0.conv")
    for i, size in enumerate(spec.stages):
        name = stage_name(size)
        _put(fill, weights, f"{name}.torgb", f"torgb_layers.{i}.conv", gain=1)
        if i:
            put = _put_transposed if fused else _put
            put(fill, weights, f"{name}.conv0", f"conv_blocks.{2 * i - 1}.conv")
            _put(fill, weights, f"{name}.conv1", f"conv_blocks.{2 * i}.conv")


def _fill_discriminator(fill: Filling, weights: Weights, spec: NetworkSpec) -> None:
    for part in (_key(weights, "conv_blocks.0.conv"), "conv_blocks.0.conv.bias"):
        weights.drop(part)  # created, saved, and never used
    for i, size in enumerate(spec.stages):
        name = stage_name(size)
        _put(fill, weights, f"{name}.fromrgb", f"fromrgb_layers.{i}.conv")
        if i:
            _put(fill, weights, f"{name}.conv0", f"conv_blocks.{2 * i - 1}.conv")
            _put(fill, weights, f"{name}.conv1", f"conv_blocks.{2 * i}.conv")
    _put(fill, weights, "4x4.dense0", "decision.linear0")
    _put(fill, weights, "4x4.dense1", "decision.linear1", gain=1)
