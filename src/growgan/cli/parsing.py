"""Argument parsing shared by several commands."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from growgan.core.errors import ConfigError

OTHERS = (".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".jxl", ".avif")
"""Suffixes of pictures, which a folder is unlikely to have."""


def parse_seeds(text: str) -> list[int]:
    """Seeds from text such as ``3,7,100-120``. Raises `ConfigError` for anything else."""
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part, re.ASCII)
        if not found:
            raise ConfigError(f"--seeds takes seeds such as 0-9 or 3,7,100-120, not {text!r}")
        first, last = found[1], found[2] or found[1]
        if max(len(first), len(last)) > 10 or int(last) >= 2**32 or int(last) - int(first) >= 10_000_000:
            raise ConfigError(f"--seeds {text[:40]!r} is out of range: at most ten million seeds, each below {2**32}")
        if int(last) < int(first):
            raise ConfigError(f"--seeds {text!r} runs backwards: put the lower number first")
        seeds.extend(range(int(first), int(last) + 1))
    return seeds


def parse_crop(text: str) -> tuple[float, ...]:
    """Left, top, right, bottom from text such as ``25,57,153,185``; for use as an argument type."""
    parts = text.split(",")
    if len(parts) != 4:
        raise argparse.ArgumentTypeError("must be four numbers: left,top,right,bottom")
    try:
        return tuple(float(part) for part in parts)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be four numbers: left,top,right,bottom") from error


def check_png(out: Path) -> None:
    """Raise `ConfigError` if ``--out`` has the suffix of a picture that is not a PNG."""
    if out.suffix.lower() in OTHERS and not out.is_dir():
        raise ConfigError(f"--out {out}: pictures are written as .png, which is lossless")
