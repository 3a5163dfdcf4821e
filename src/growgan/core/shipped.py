"""The models that come with the package: whatever is in its folder ``shipped``, without a list to maintain."""

from __future__ import annotations

import re
from pathlib import Path

from growgan.core.text import suggested

FOLDER = Path(__file__).parents[1] / "shipped"


def shipped() -> dict[str, Path]:
    """Shipped models by name, ``faces-64`` before ``faces-128``."""
    found = {path.stem: path for path in FOLDER.glob("*.safetensors") if not path.name.startswith(".")}
    return dict(sorted(found.items(), key=lambda item: _natural(item[0])))


def explain(name: str) -> str:
    """A list of the shipped models for a message, after the name that was probably meant."""
    names = list(shipped())
    if not names:
        return "this version ships none"
    return f"{suggested(name, names)}shipped models: {', '.join(names)}"


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that orders numbers within a name by value."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
