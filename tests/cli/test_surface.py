"""The command line as it is promised: a flag that changes here changes under somebody's script."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

import growgan as growgan_package
from growgan import __version__
from growgan.cli.data import COMMANDS as DATA_COMMANDS
from growgan.cli.main import COMMANDS, build_parser

FROZEN: dict[str, list[str]] = {
    "": ["--version"],
    "demo": ["--out DIR = demo", "--minutes M = 5.0"],
    "train": [
        "--data PATH",
        "--out RUN (required)",
        "--preset NAME[,modifier...]",
        "--from MODEL",
        "--freeze-d N",
        "--hours H",
        "--resolution N",
        "--kimg K",
        "--minibatch N",
        "--seed S",
        "--device D",
        "--precision P",
        "--threads N",
        "--set SECTION.FIELD=VALUE (again)",
        "--dry-run (switch)",
    ],
    "generate": [
        "MODEL",
        "--seeds S",
        "--out DIR = .",
        "--grid CxR",
        "--class K",
        "--truncation PSI = 1.0",
        "--batch N = 8",
        "--device D = cpu",
        "--precision P = float32",
    ],
    "video": [
        "MODEL",
        "--out FILE = walk.mp4",
        "--seconds S = 20.0",
        "--fps F = 30.0",
        "--grid CxR = 1x1",
        "--seed S = 0",
        "--smoothing S = 1.0",
        "--seeds S",
        "--latents FILE",
        "--class K",
        "--truncation PSI = 1.0",
        "--size N",
        "--batch N = 8",
        "--device D = cpu",
        "--precision P = float32",
    ],
    "serve": [
        "MODEL",
        "--port N = 8000",
        "--host H = 127.0.0.1",
        "--open (switch)",
        "--directions FILE",
        "--latents FILE",
        "--batch N = 8",
        "--device D = cpu",
        "--precision P = float32",
    ],
    "timelapse": [
        "RUN",
        "--out FILE = timelapse.mp4",
        "--seconds S = 20.0",
        "--fps F = 30.0",
        "--warp W = 1.5",
        "--by = time",
        "--hold S",
        "--grid CxR",
        "--no-captions (switch)",
    ],
    "directions": [
        "MODEL",
        "--out FILE = directions.safetensors",
        "--sheet FILE.png",
        "--count K",
        "--labels FILE.csv",
        "--without NAMES",
        "--seeds S = 0-2",
        "--reach A = 0.6",
        "--class K",
        "--truncation PSI = 0.8",
        "--device D = cpu",
    ],
    "edit": [
        "MODEL",
        "--move NAME:A,... (required)",
        "--directions FILE",
        "--seeds S = 0-3",
        "--latents FILE",
        "--out FILE = edit.png",
        "--steps N = 5",
        "--seconds S = 4.0",
        "--fps F = 30.0",
        "--class K",
        "--truncation PSI = 1.0",
        "--size N",
        "--batch N = 8",
        "--device D = cpu",
        "--precision P = float32",
    ],
    "project": [
        "MODEL",
        "PHOTOS",
        "--out FILE = projected.safetensors",
        "--sheet FILE.png",
        "--crop L,T,R,B",
        "--latents-only (switch)",
        "--steps N = 300",
        "--starts N = 500",
        "--class K",
        "--batch N = 4",
        "--device D",
    ],
    "evaluate": [
        "MODEL_OR_DATA",
        "--data SET (required)",
        "--metrics NAMES = swd,msssim",
        "--images N",
        "--seed S = 0",
        "--json (switch)",
        "--out FILE",
        "--protocol P = legacy",
        "--inception FILE",
        "--vgg FILE",
        "--batch N = 16",
        "--device D",
    ],
    "neighbours": [
        "MODEL",
        "--data SET (required)",
        "--held-out SET",
        "--seeds S = 0-31",
        "--space NAME = pixel",
        "--count K = 5",
        "--crop L,T,R,B",
        "--truncation PSI = 1.0",
        "--out FILE.png = neighbours.png",
        "--json (switch)",
        "--inception FILE",
        "--vgg FILE",
        "--batch N = 16",
        "--device D",
    ],
    "info": ["MODEL", "--json (switch)"],
    "export": [
        "MODEL",
        "OUT",
        "--resolution N",
        "--only G_ema",
        "--precision P",
        "--license ID",
        "--title TEXT",
        "--card FIELD=TEXT (again)",
        "--measures FILE",
    ],
    "push": [
        "MODEL",
        "hf://OWNER/NAME",
        "--precision P",
        "--private (switch)",
        "--dry-run (switch)",
        "--license ID",
        "--title TEXT",
        "--card FIELD=TEXT (again)",
        "--measures FILE",
    ],
    "import": ["SRC", "OUT.safetensors", "--swap-colours (switch)", "--overwrite (switch)"],
    "data": [],
    "data build": [
        "SRC",
        "OUT",
        "--kind K",
        "--split S",
        "--resolution N",
        "--crop L,T,R,B",
        "--pad HOW",
        "--channels N",
        "--labels L",
        "--limit N",
        "--format png|webp|jpg = png",
        "--quality Q",
        "--unique (switch)",
        "--strict (switch)",
        "--upscale (switch)",
        "--overwrite (switch)",
    ],
    "data download": ["NAME", "DIR"],
    "data info": ["SET", "--kind K", "--split S", "--json (switch)", "--check (switch)"],
    "data show": ["SET", "--kind K", "--split S", "--grid CxR = 8x4", "--out FILE (required)"],
    "data labels": ["SET", "--from L", "--columns A,B...", "--json (switch)"],
    "data compare": ["A", "B", "--json (switch)"],
    "data extract": ["SET", "OUT", "--kind K", "--split S", "--by-class (switch)", "--limit N"],
    "data align": [
        "SRC",
        "OUT",
        "--kind K",
        "--split S",
        "--resolution N = 1024",
        "--landmarks FILE",
        "--detector DIR",
        "--no-refine (switch)",
        "--faces N",
        "--min-size PX",
        "--min-confidence P = 0.9",
        "--min-inside S = 0.5",
        "--min-sharpness S = 0.08",
        "--labels L",
        "--limit N",
        "--format png|webp|jpg = png",
        "--quality Q",
        "--strict (switch)",
        "--overwrite (switch)",
    ],
    "data celebahq": [
        "CELEBA",
        "OUT",
        "--deltas DIR",
        "--nearly (switch)",
        "--resolution N",
        "--count N",
        "--artefacts MODEL",
        "--superres MODEL",
        "--strict (switch)",
        "--overwrite (switch)",
    ],
    "bench": [
        "--parts NAMES",
        "--preset NAME[,modifier...]",
        "--run NAME[,modifier...]",
        "--steps SIZE:N,...",
        "--data PATH",
        "--resolution N",
        "--device D",
        "--precision P",
        "--threads N",
        "--set SECTION.FIELD=VALUE (again)",
        "--quick (switch)",
        "--json FILE",
    ],
}


def walk(parser: argparse.ArgumentParser, words: str = "") -> Iterator[tuple[str, list[str]]]:
    """Every command and what it takes, a line each."""
    lines, below = [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            assert action.required
            below = list(action.choices.items())
        elif not isinstance(action, argparse._HelpAction):
            lines.append(describe(action))
    yield words, lines
    for name, child in below:
        yield from walk(child, f"{words} {name}".strip())


def describe(action: Any) -> str:
    line = " ".join([*action.option_strings, *([str(action.metavar)] if action.metavar else [])])
    if isinstance(action, argparse._StoreTrueAction):
        return f"{line} (switch)"
    if isinstance(action, argparse._AppendAction):
        return f"{line} (again)"
    if action.option_strings and action.required:
        return f"{line} (required)"
    return line if action.default in (None, argparse.SUPPRESS) else f"{line} = {action.default}"


def test_flags_are_frozen() -> None:
    assert dict(walk(build_parser())) == FROZEN


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from parsers(child)


def test_no_flag_can_be_shortened() -> None:
    """Else a flag that comes later could change what a command means."""
    assert not any(parser.allow_abbrev for parser in parsers(build_parser()))


def test_every_flag_says_what_it_is_for() -> None:
    silent = [
        f"{parser.prog}: {action.dest}"
        for parser in parsers(build_parser())
        for action in parser._actions
        if not action.help and not isinstance(action, argparse._SubParsersAction)
    ]
    assert silent == []


@pytest.mark.parametrize("target", [*COMMANDS.values(), *DATA_COMMANDS.values()])
def test_every_command_has_what_the_table_promises(target: str) -> None:
    module = import_module(target)
    assert module.SUMMARY and "\n" not in module.SUMMARY
    assert callable(module.add_arguments) and callable(module.run)


def test_the_same_command_line_means_the_same_later() -> None:
    parse = build_parser().parse_args
    args = parse(["train", "--out", "r", "--set", "seed=1", "--set", "loss.name=lsgan"])
    assert args.set == ["seed=1", "loss.name=lsgan"] and args.data is None and args.preset is None
    assert parse(["generate", "m", "--class", "3"]).label == "3"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["paint"], "invalid choice: 'paint'"),
        (["train"], "the following arguments are required: --out"),
        (["train", "--out", "r", "--pre", "tiny"], "unrecognized arguments: --pre tiny"),
        (["train", "--out", ""], "argument --out: is empty"),
        (["train", "--out", "r", "--data", ""], "argument --data: is empty"),
        (["train", "--out", "r", "--hours", "long"], "argument --hours: invalid float value: 'long'"),
        (["generate"], "the following arguments are required: MODEL"),
        (["generate", "m", "--truncation", "low"], "argument --truncation: invalid float value: 'low'"),
        (["generate", "m", "--batch", "1.5"], "argument --batch: invalid int value: '1.5'"),
        (["data"], "the following arguments are required: COMMAND"),
        (
            ["generate", "m", "--seed", "3"],
            "--seed 3; did you mean --seeds? (try growgan generate --help",
        ),
        (
            ["data", "build", "a", "b", "--resolutoin", "3"],
            "did you mean --resolution? (try growgan data build --help)",
        ),
        (
            ["edit", "m", "--move", "-1:0.1"],
            "argument --move: expected one argument; write a value that starts with a minus as --move=...",
        ),
        (["trian"], "did you mean train? (try growgan --help)"),
        (["data", "biuld", "x"], "did you mean build? (try growgan data --help)"),
        (["generate", "m", "--out", "x.JPG"], "--out x.JPG: pictures are written as .png"),
        (["data", "build", "x"], "the following arguments are required: OUT"),
    ],
)
def test_words_that_nobody_knows(growgan: Any, words: list[str], message: str) -> None:
    line = growgan(*words).refusal()
    assert message in line and ("--help" in line or "--out" in line)


def test_version(growgan: Any) -> None:
    assert growgan("--version") == (0, f"growgan {__version__}\n", "")


@pytest.mark.parametrize(
    ("work", "wanted"),
    [
        (lambda: torch.empty(10**15), "4000000000000000 bytes"),
        (lambda: np.empty(10**15), "7.11 PiB"),
        (
            lambda: _raise(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has")),
            "2.00 GiB",
        ),
        (lambda: _raise(MemoryError()), ""),
    ],
)
def test_memory_that_runs_out_is_said_in_a_line(
    growgan: Any, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object], wanted: str
) -> None:
    monkeypatch.setattr("growgan.cli.info.run", lambda args: work())
    result = growgan("info", "model.safetensors")
    assert result.status == 2 and len(result.err.splitlines()) == 1
    assert result.err.startswith("growgan: out of memory") and wanted in result.err and "--device" in result.err


def test_other_errors_of_the_program_are_not_hidden(growgan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("growgan.cli.info.run", lambda args: _raise(RuntimeError("sizes do not match")))
    with pytest.raises(RuntimeError, match="sizes do not match"):
        growgan("info", "model.safetensors")


def _raise(error: Exception) -> None:
    raise error


def test_a_notebook_is_offered_the_public_names() -> None:
    assert dir(growgan_package) == sorted(growgan_package.__all__)
