"""What an OpenMMLab checkpoint records of a PGGAN only in its configuration text. The text is parsed, never run."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from growgan.models.foreign.machine import Refused

LONGEST = 200_000
"""Largest configuration accepted, in characters."""
USUAL: dict[str, Any] = {
    "act_cfg": {"type": "LeakyReLU", "negative_slope": 0.2},
    "norm_cfg": {"type": "PixelNorm"},
    "order": ("conv", "act", "norm"),
    "bias": True,
}
"""Layer options that may be given, as long as they have these usual values."""
DOWNSAMPLINGS = (None, "avgpool")


@dataclass(frozen=True)
class Options:
    """Choices that the weights do not show."""

    fused_up: bool = True
    stddev_group: int = 4
    label_size: int = 0
    d_unlike: str = ""
    """What D has that growgan does not support."""


def options_of(meta: Any) -> Options:
    """The choices in a checkpoint's metadata, or the programs' defaults. Raises `Refused` if G is not supported."""
    texts = [meta.get(key) for key in ("config", "cfg")] if isinstance(meta, dict) else []
    generator, discriminator = _networks(next((text for text in texts if isinstance(text, str)), ""))
    unlike = _unlike(generator, ("conv_module_cfg", "fused_upconv_cfg"))
    if _type(generator.get("upsample_cfg")) not in (None, "nearest"):
        unlike = "an upsampling other than nearest-neighbour"
    if unlike:
        raise Refused(f"its configuration gives the generator {unlike}, which growgan does not support")
    d_unlike = _unlike(discriminator, ("conv_module_cfg", "fused_convdown_cfg", "fromrgb_layer_cfg"))
    if _type(discriminator.get("downsample_cfg")) not in DOWNSAMPLINGS:
        d_unlike = "a downsampling other than averaging"
    stddev = discriminator.get("mbstd_cfg")
    group = stddev.get("group_size", 4) if isinstance(stddev, dict) else 4
    if isinstance(stddev, dict) and (stddev.get("eps", 1e-8) != 1e-8 or stddev.get("gather_all_batch")):
        d_unlike = "another kind of minibatch stddev"
    return Options(
        fused_up=generator.get("fused_upconv", True) is not False,
        stddev_group=group if isinstance(group, int) else 4,
        label_size=generator.get("label_size", 0) if isinstance(generator.get("label_size", 0), int) else 0,
        d_unlike=f"its configuration gives it {d_unlike}, which growgan does not support" if d_unlike else "",
    )


def _networks(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of the generator and of the discriminator that are plain values."""
    if not text:
        return {}, {}
    if len(text) > LONGEST:
        raise Refused("its configuration is longer than any genuine one")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}, {}
    found: dict[str, dict[str, Any]] = {}
    for node in ast.walk(tree):
        value = _value(node) if isinstance(node, ast.Call | ast.Dict) else None
        kind = _type(value)
        for name in ("PGGANGenerator", "PGGANDiscriminator"):
            if value is not None and kind is not None and kind.rpartition(".")[2] == name:
                found.setdefault(name, value)
    return found.get("PGGANGenerator", {}), found.get("PGGANDiscriminator", {})


def _value(node: ast.AST) -> Any:
    """The value of a literal, or of dict(...) with literals; None for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        return {keyword.arg: _value(keyword.value) for keyword in node.keywords if keyword.arg}
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _type(value: Any) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else None


def _unlike(arguments: dict[str, Any], parts: tuple[str, ...]) -> str:
    """What the layer options of a network have that growgan does not support; empty if nothing."""
    for part in parts:
        for key, value in (arguments.get(part) or {}).items() if isinstance(arguments.get(part), dict) else ():
            usual = (
                (key in USUAL and value == USUAL[key])
                or (key == "equalized_lr_cfg" and (value is None or value == {"mode": "fan_in"}))
                or key in ("conv_cfg", "kernel_size", "stride", "padding")
            )
            if not usual:
                return f"its own {part}.{key}"
    return ""
