"""The commands of docs/datasets.md and docs/faces.md are commands that there are; the table is that of the kinds."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from growgan.cli.main import build_parser
from growgan.core.presets import preset as find_preset
from growgan.data.download import DOWNLOADS
from growgan.data.sources import FORMATS

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "datasets.md"
TEXT = PAGE.read_text(encoding="utf-8") + (DOCS / "faces.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("growgan ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_parse(line: str) -> None:
    args = build_parser().parse_args(shlex.split(line, comments=True)[1:])
    if getattr(args, "preset", None):
        find_preset(args.preset)
    if getattr(args, "data_command", None) == "download":
        assert args.name in DOWNLOADS
    if getattr(args, "kind", None):
        assert args.kind in FORMATS


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("kind", FORMATS)
def test_every_kind_is_in_the_table(kind: str) -> None:
    table = PAGE.read_text(encoding="utf-8").split("##")[0]
    assert f"`{kind}`" in table or re.search(rf"\b{kind}\b", table)
