"""pro-gan-pth 3: {'generator', 'shadow_generator', 'discriminator': {'conf', 'state_dict'}, ...} by `torch.save`.

He's gain is sqrt(2) everywhere, including toRGB and the last layer. The first layer is a transposed convolution of one
pixel with fan-in L, and no norm follows it. A saved model does not record how far it has grown, but its usual file name
does, and so does the generator's optimiser, which has moments only for layers that have been trained.
"""

from __future__ import annotations

import re
from typing import Any

from growgan.core.config import NetworkSpec
from growgan.core.geometry import LOWEST, stage_name
from growgan.models.foreign.layout import Filling, Imported, Weights, fit_widths, he, make_spec, sizes_of
from growgan.models.foreign.machine import Refused
from growgan.networks.layers import HE_GAIN

ORIGIN = "pro-gan-pth"
NETWORKS = {"generator": "G", "shadow_generator": "G_ema", "discriminator": "D"}
STDDEV_GROUP = 4


def matches(content: Any) -> bool:
    """Whether a PyTorch file holds a saved model of pro-gan-pth."""
    return bool(_saved(content))


def read(content: Any, name: str = "") -> Imported:
    """G, D and G_ema of a saved model. name: its file name, such as depth_5_epoch_10.bin. Raises `Refused`."""
    saved = _saved(content)
    if "G" not in saved and "G_ema" not in saved:
        raise Refused("it holds only a discriminator, no generator")
    first = saved.get("G_ema") or saved["G"]
    g, d = first["state_dict"], saved.get("D")
    G = Weights(g, "G")
    stages = sizes_of(sum(key.startswith("rgb_converters.") and key.endswith(".weight") for key in g))
    widths = {LOWEST: G.shape("layers.0.conv_2.weight", 4)[0]}
    widths |= {size: G.shape(f"layers.{i}.conv_2.weight", 4)[0] for i, size in enumerate(stages[1:], 1)}
    remarks = []
    if d is not None and (why := _unlike(d, len(stages))):
        remarks.append(f"D was left out: {why}")
        del saved["D"]
        d = None
    hidden = Weights(d["state_dict"], "D").shape(f"layers.{len(stages) - 1}.conv_2.weight", 4)[0] if d else None
    fitted, variant = fit_widths(widths, hidden)
    spec = make_spec(
        resolution=stages[-1],
        channels=G.shape("rgb_converters.0.weight", 4)[0],
        latent_size=G.shape("layers.0.conv_1.weight", 4)[0],
        wscale=_equalized(first),
        stddev_group=STDDEV_GROUP,
        variant=variant | {"first_norm": False},
        **fitted,
    )
    states = {}
    for ours, part in saved.items():
        weights, fill = Weights(part["state_dict"], ours), Filling(ours[0], spec, ours)
        (_fill_generator if ours != "D" else _fill_discriminator)(fill, weights, spec, _equalized(part))
        weights.finish()
        states[ours] = fill.finish()
    reached = _named(name, spec) or _optimised(content, list(g)) or spec.resolution
    training = {"resolution": reached if reached in spec.stages else spec.resolution, "alpha": 1.0}
    return Imported(ORIGIN, spec, states, training, remarks)


def _saved(content: Any) -> dict[str, dict[str, Any]]:
    """Networks by our names, from a whole saved model or from a single network."""
    if not isinstance(content, dict):
        return {}
    if "conf" in content and "state_dict" in content:
        keys = content["state_dict"] if isinstance(content["state_dict"], dict) else {}
        kind = "discriminator" if any(str(key).startswith("from_rgb") for key in keys) else "generator"
        content = {kind: content}
    found = {}
    for theirs, ours in NETWORKS.items():
        part = content.get(theirs)
        if isinstance(part, dict) and isinstance(part.get("conf"), dict) and isinstance(part.get("state_dict"), dict):
            state = {str(name).removeprefix("module."): value for name, value in part["state_dict"].items()}
            found[ours] = {"conf": part["conf"], "state_dict": state}
    return found


def _equalized(part: dict[str, Any]) -> bool:
    return part["conf"].get("use_eql", True) is not False


def _unlike(d: dict[str, Any], count: int) -> str:
    """What D has that growgan does not support; empty if nothing."""
    if d["conf"].get("num_classes") is not None or any("label_embedder" in name for name in d["state_dict"]):
        return "it is conditional by projection, but the generator has no classes"
    depths = sum(name.startswith("from_rgb.") and name.endswith(".weight") for name in d["state_dict"])
    return "" if depths == count else "it has a different number of stages than G"


def _named(name: str, spec: NetworkSpec) -> int | None:
    """The resolution that training had reached, from the file name that pro-gan-pth gives."""
    found = re.match(r"depth_(\d{1,2})_epoch_\d+\b", name, re.ASCII)
    size = 2 ** int(found[1]) if found else None
    return size if size in spec.stages else None


def _optimised(content: dict[str, Any], names: list[str]) -> int | None:
    """The resolution of the highest layer for which G's optimiser, which numbers the weights, has moments."""
    optimiser = content.get("gen_optim")
    moments = optimiser.get("state") if isinstance(optimiser, dict) else None
    trained = (
        [names[i] for i in moments if isinstance(i, int) and 0 <= i < len(names)] if isinstance(moments, dict) else []
    )
    found = [re.match(r"layers\.(\d{1,2})\.", name, re.ASCII) for name in trained]
    return max((LOWEST << int(match[1]) for match in found if match), default=None)


def _put(fill: Filling, weights: Weights, ours: str, theirs: str, equalized: bool) -> None:
    weights.shape(f"{theirs}.weight", 4)
    weight = weights.take(f"{theirs}.weight")
    scale = he(weight) if equalized else 1.0
    if ours.endswith(("dense0", "dense1")):
        weight = weight.flatten(1)
    fill.put(ours, weight, weights.take(f"{theirs}.bias"), scale)


def _fill_generator(fill: Filling, weights: Weights, spec: NetworkSpec, equalized: bool) -> None:
    weights.shape("layers.0.conv_1.weight", 4)
    first = weights.take("layers.0.conv_1.weight")  # [L, width, 4, 4]
    scale = HE_GAIN / first.shape[0] ** 0.5 if equalized else 1.0
    fill.put("4x4.dense", first.flatten(1).T, weights.take("layers.0.conv_1.bias"), scale)
    _put(fill, weights, "4x4.conv", "layers.0.conv_2", equalized)
    for i, size in enumerate(spec.stages):
        name = stage_name(size)
        _put(fill, weights, f"{name}.torgb", f"rgb_converters.{i}", equalized)
        if i:
            _put(fill, weights, f"{name}.conv0", f"layers.{i}.conv_1", equalized)
            _put(fill, weights, f"{name}.conv1", f"layers.{i}.conv_2", equalized)


def _fill_discriminator(fill: Filling, weights: Weights, spec: NetworkSpec, equalized: bool) -> None:
    last = len(spec.stages) - 1
    for i, size in enumerate(spec.stages):
        name = stage_name(size)
        _put(fill, weights, f"{name}.fromrgb", f"from_rgb.{last - i}.0", equalized)
        if i:
            _put(fill, weights, f"{name}.conv0", f"layers.{last - i}.conv_1", equalized)
            _put(fill, weights, f"{name}.conv1", f"layers.{last - i}.conv_2", equalized)
    _put(fill, weights, "4x4.conv", f"layers.{last}.conv_1", equalized)
    _put(fill, weights, "4x4.dense0", f"layers.{last}.conv_2", equalized)
    _put(fill, weights, "4x4.dense1", f"layers.{last}.conv_3", equalized)
