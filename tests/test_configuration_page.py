"""docs/configuration.md says what the fields' docstrings say, and the command line takes what it says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from growgan.core.config import RunConfig
from growgan.core.fields import replaced
from growgan.core.presets import PRESETS, preset

SCRIPT = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "configuration.py"))
PAGE = SCRIPT["PAGE"].read_text(encoding="utf-8")


def test_the_page_is_up_to_date() -> None:
    assert SCRIPT["page"]() == PAGE, "python scripts/configuration.py writes it anew"


def test_every_field_has_words() -> None:
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(rows) > 80 and all(len(row[-1].strip(" |")) > 5 for row in rows)


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_changes_make_it(name: str) -> None:
    """Of the page: what --set is given in a preset's row is the preset."""
    (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", PAGE, flags=re.MULTILINE)
    run = RunConfig()
    for place, value in re.findall(r"`([a-z0-9_.]+)=([^`]*)`", row):
        run = replaced(run, place, value)
    assert SCRIPT["flat"](run) | {"preset": ""} == SCRIPT["flat"](preset(name)) | {"preset": ""}
