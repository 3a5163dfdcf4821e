"""pytorch_GAN_zoo's progressive GAN: {'config': BaseConfig, 'netG', 'netD', 'avgG': state dicts} by `torch.save`.

Every layer, including toRGB and the last, scales its output, bias included, by He's constant with gain sqrt(2). The
first layer has a bias for each of its 4x4 pixels. `alpha` is the weight of the lower stage. D does not fade at 8x8.
Minibatch stddev: consecutive images, unbiased. The score is D's first output.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from torch import Tensor

from growgan.core.config import NetworkSpec
from growgan.core.geometry import LOWEST, stage_name
from growgan.core.trees import show
from growgan.models.foreign.arrays import Array
from growgan.models.foreign.layout import Filling, Imported, Weights, checked_alpha, fit_widths, he, make_spec, sizes_of
from growgan.models.foreign.machine import Refused, Thing

ORIGIN = "pytorch_GAN_zoo"
NETWORKS = {"netG": "G", "avgG": "G_ema", "netD": "D"}
ACTIVATIONS = {"WGANGP": False, "Logistic": False, "MSE": True, "DCGAN": True}
"""Losses, and whether G ends with a tanh for them."""
LOGITS = "this program uses D's first output as both the score and the first class's logit; D is imported unchanged"
STDDEV_GROUP = 4
MOST_ROWS = 1000


def matches(content: Any) -> bool:
    """Whether a PyTorch file holds a progressive GAN of pytorch_GAN_zoo."""
    found = content.get("netG") if isinstance(content, dict) else None
    return isinstance(found, dict) and any(str(name).startswith("formatLayer.") for name in _bare(found))


def read(content: Any) -> Imported:
    """G, D and G_ema of a checkpoint. Raises `Refused`."""
    config = _config(content)
    found = {ours: _bare(content[theirs]) for theirs, ours in NETWORKS.items() if isinstance(content.get(theirs), dict)}
    if not config.get("perChannelNormalization", True):
        raise Refused("its config turns perChannelNormalization off, with which its own generator cannot run")
    fields, variant = _shapes(found["G"], found.get("D"), config)
    fields |= {"wscale": bool(config.get("equalizedlR", True))}
    classes, attributes = _classes(config, fields["num_labels"])
    spec = make_spec(**fields, multi_label=attributes, variant=variant)
    states: dict[str, dict[str, Tensor]] = {}
    for name in ("G", "G_ema", "D"):
        if name not in found:
            continue
        weights, fill = Weights(found[name], name), Filling(name[0], spec, name)
        (_fill_generator if name != "D" else _fill_discriminator)(fill, weights, spec)
        weights.finish()
        states[name] = fill.finish()
    alpha = 1.0 - checked_alpha(config.get("alpha", 0.0)) if len(spec.stages) > 1 else 1.0
    training = {"resolution": spec.resolution, "alpha": alpha} | classes
    remarks = [LOGITS] if spec.num_labels and "D" in states else []
    return Imported(ORIGIN, spec, states, training, remarks)


def _config(content: dict[Any, Any]) -> dict[str, Any]:
    """The attributes of the config object, with scalars as plain numbers."""
    config = content.get("config")
    members = config.attributes if isinstance(config, Thing) else config
    if not isinstance(members, dict):
        raise Refused("it lacks the config that pytorch_GAN_zoo saves")
    return {
        str(key): value.numpy().item() if isinstance(value, Array) and value.shape == () else value
        for key, value in members.items()
    }


def _bare(state: dict[Any, Any]) -> dict[str, Any]:
    """A state dict with the prefix `module.`, which wrappers add and early files lack, removed from its names."""
    return {str(name).removeprefix("module.").replace(".module.", "."): value for name, value in state.items()}


def _shapes(
    g: dict[str, Any], d: dict[str, Any] | None, config: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of the spec and its variant, inferred from the weights."""
    G = Weights(g, "G")
    stages = sizes_of(sum(name.startswith("toRGBLayers.") and name.endswith(".weight") for name in g))
    widths = {LOWEST: G.shape("groupScale0.0.weight", 4)[0]}
    for i, size in enumerate(stages[1:]):
        widths[size] = G.shape(f"scaleLayers.{i}.0.weight", 4)[0]
    inputs = G.shape("formatLayer.weight", 2)[1]
    labels = config.get("categoryVectorDim", 0) or 0
    slope, loss = config.get("leakyReluLeak", 0.2), config.get("lossCriterion", "WGANGP")
    if not isinstance(labels, int) or not 0 <= labels < inputs:
        raise Refused("its config has a categoryVectorDim that does not fit its generator")
    if not isinstance(loss, str) or loss not in ACTIVATIONS:
        raise Refused(f"its config has the loss {show(loss)}, which is not supported")
    hidden = None
    fields: dict[str, Any] = {"resolution": stages[-1], "num_labels": labels, "latent_size": inputs - labels}
    if d is not None:
        D = Weights(d, "D")
        hidden = D.shape("groupScaleZero.1.weight", 2)[0]
        has_stddev = D.shape("groupScaleZero.0.weight", 4)[1] == widths[LOWEST] + 1
        fields["stddev_group"] = STDDEV_GROUP if has_stddev else 0
    fitted, variant = fit_widths(widths, hidden)
    variant |= {"first_bias": "pixel", "stddev_groups": "contiguous", "stddev_unbiased": True, "d_fade_from": 16}
    variant |= {"slope": slope, "tanh": ACTIVATIONS[loss]}
    fields["channels"] = G.shape("toRGBLayers.0.weight", 4)[0]
    return fields | fitted, variant


def _classes(config: dict[str, Any], count: int) -> tuple[dict[str, Any], bool]:
    """What the model file records about its labels, and whether they are several attributes."""
    keys = config.get("attribKeysOrder")
    if not count:
        return {}, False
    if not isinstance(keys, dict) or not all(isinstance(key, dict) for key in keys.values()):
        raise Refused("its config lacks the attribKeysOrder of its classes")
    ordered = sorted(keys.items(), key=lambda item: int(item[1].get("order", 0)))
    values = [(str(name), key.get("values")) for name, key in ordered]
    if not all(isinstance(v, list | tuple) for _, v in values) or sum(len(v) for _, v in values) != count:
        raise Refused("its config has an attribKeysOrder that does not fit its categoryVectorDim")
    said = [value for _, choices in values for value in choices]
    if not all(isinstance(value, int | float) or (isinstance(value, str) and len(value) < 1000) for value in said):
        raise Refused("its config has an attribKeysOrder whose values are neither short texts nor numbers")
    if len(values) == 1:
        return {"class_names": [str(value) for value in values[0][1]]}, False
    names = [f"{name}: {value}" for name, choices in values for value in choices]
    return {"class_names": names, "labels": {"rows": _combinations([len(v) for _, v in values])}}, True


def _combinations(counts: list[int]) -> list[list[float]]:
    """Label rows that give every attribute one of its values: all combinations, or 1,000 random ones."""
    total = int(np.prod(counts, dtype=object))
    if total <= MOST_ROWS:
        choices = [list(choice) for choice in itertools.product(*map(range, counts))]
    else:
        random = np.random.RandomState(0)
        choices = np.stack([random.randint(count, size=MOST_ROWS) for count in counts], axis=1).tolist()
    return [[float(k == chosen) for count, chosen in zip(counts, row) for k in range(count)] for row in choices]


def _put(fill: Filling, weights: Weights, ours: str, theirs: str, axes: int) -> None:
    weights.shape(f"{theirs}.weight", axes)
    weight = weights.take(f"{theirs}.weight")
    scale = he(weight) if fill.spec.wscale else 1.0
    fill.put(ours, weight, weights.take(f"{theirs}.bias"), scale, bias_scale=scale)


def _fill_generator(fill: Filling, weights: Weights, spec: NetworkSpec) -> None:
    _put(fill, weights, "4x4.dense", "formatLayer", 2)
    _put(fill, weights, "4x4.conv", "groupScale0.0", 4)
    for i, size in enumerate(spec.stages):
        name = stage_name(size)
        _put(fill, weights, f"{name}.torgb", f"toRGBLayers.{i}", 4)
        for j in (0, 1) if i else ():
            _put(fill, weights, f"{name}.conv{j}", f"scaleLayers.{i - 1}.{j}", 4)


def _fill_discriminator(fill: Filling, weights: Weights, spec: NetworkSpec) -> None:
    _put(fill, weights, "4x4.conv", "groupScaleZero.0", 4)
    _put(fill, weights, "4x4.dense0", "groupScaleZero.1", 2)
    _put(fill, weights, "4x4.dense1", "decisionLayer", 2)
    for i, size in enumerate(spec.stages):
        name = stage_name(size)
        _put(fill, weights, f"{name}.fromrgb", f"fromRGBLayers.{i}", 4)
        for j in (0, 1) if i else ():
            _put(fill, weights, f"{name}.conv{j}", f"scaleLayers.{i - 1}.{j}", 4)
