"""Every command that README and docs show is one, with presets and fields that exist."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from growgan.cli.main import build_parser
from growgan.core.fields import replaced
from growgan.core.presets import preset

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OURS = re.compile(r"(?:torchrun .*?-m )?growgan (?P<words>.*)", flags=re.DOTALL)


NAMES_ALONE = re.compile(r"[a-z]+( [a-z]+)?( .*)? --[a-z-]+|[a-z]+( [a-z]+)?|.* SECTION.FIELD=VALUE")
"""Such as `growgan data build` or `growgan directions --labels`, in a sentence about that command or flag."""


def commands(text: str) -> Iterator[str]:
    """Lines of blocks, and what stands in backticks, that call growgan with words."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    yield from words_of(lines)
    yield from (words for words in words_of(prose) if not NAMES_ALONE.fullmatch(words))


def words_of(lines: Iterable[str]) -> Iterator[str]:
    """What follows ``growgan``, where a line is whole."""
    for line in lines:
        found = OURS.match(line.replace("\n", " "))
        if found and "..." not in line:
            yield found["words"].split(" | ")[0].rstrip("& ")


WHOLE = [(page.name, words) for page in PAGES for words in commands(page.read_text(encoding="utf-8"))]


def test_there_are_many() -> None:
    assert len(WHOLE) > 120 and len({page for page, _ in WHOLE}) >= 11


@pytest.mark.parametrize(("page", "words"), WHOLE, ids=[f"{page} {words[:50]}" for page, words in WHOLE])
def test_it_is_understood(page: str, words: str) -> None:
    parsed = read(words)
    if parsed is None:
        return
    config = preset(getattr(parsed, "preset", None) or "paper")
    for field in getattr(parsed, "set", None) or [] if parsed.command == "train" else []:
        config = replaced(config, *field.split("=", 1))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_fields_in_prose_exist(page: Path) -> None:
    for place, value in re.findall(r"--set ([a-z0-9_]+\.[a-z0-9_.]+)=([\w.,:+-]+)", page.read_text(encoding="utf-8")):
        if not value.isupper():
            replaced(preset("paper"), place, value.rstrip(".,:"))


def read(words: str) -> argparse.Namespace | None:
    """What the parser makes of a command; None where it prints help. AssertionError for what it refuses."""
    try:
        return build_parser().parse_args(shlex.split(words, comments=True))
    except SystemExit as end:
        assert end.code == 0, words
        return None
