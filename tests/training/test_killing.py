"""A run that is killed again and again, at any moment and in any file operation, ends as the one never killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from growgan.core.runfiles import RunFiles

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked and killed")

WORDS = [
    *("--preset", "tiny", "--threads", "1", "--precision", "float32", "--kimg", "0.4", "--seed", "3"),
    *(
        "--set",
        "schedule.training_kimg=0.1",
        "--set",
        "schedule.transition_kimg=0.1",
        "--set",
        "schedule.tick_kimg=0.05",
    ),
    *("--set", "snapshots.measure=none", "--set", "snapshots.state_minutes=0.0003"),  # a state at nearly every step
]
KILLS = 20


def train(data: str, out: str, quiet: str, fatal: int) -> None:
    """``growgan train`` in a process of its own, which dies in its file operation number `fatal`, if that is not 0."""
    with open(quiet, "a") as log:
        os.dup2(log.fileno(), 2)
    if fatal:
        count = 0

        def counted(kind, name):
            operation = getattr(kind, name)

            def call(*args, **kwargs):
                nonlocal count
                count += 1
                if count == fatal:
                    if name == "write":  # half of it is on the disk
                        os.write(args[0], args[1][: len(args[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                return operation(*args, **kwargs)

            setattr(kind, name, call)

        for kind, name in (
            (os, "fsync"),
            (Path, "replace"),
            (Path, "unlink"),
            (Path, "touch"),
            (Path, "write_text"),
            (os, "link"),
        ):
            counted(kind, name)
    from growgan.cli.main import main

    sys.exit(main(["train", "--data", data, "--out", out, *WORDS]))


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["growgan.training.job", "growgan.cli.train"])
    return context


@pytest.mark.slow
def test_twenty_kills(processes, colour_set, tmp_path, monkeypatch):
    # The processes have to find this module, by whichever name pytest has imported it.
    folders = [str(Path(__file__).parents[up]) for up in (1, 2)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")]))
    for folder in folders:
        monkeypatch.syspath_prepend(folder)
    whole, parts = RunFiles(tmp_path / "whole"), RunFiles(tmp_path / "parts")

    def start(run: RunFiles, fatal: int = 0):
        process = processes.Process(target=train, args=(str(colour_set), str(run.path), str(tmp_path / "said"), fatal))
        process.start()
        return process

    first = start(whole)
    first.join()
    assert first.exitcode == 0, (tmp_path / "said").read_text()

    chance, killed, halves = random.Random(7), 0, 0
    for number in range(10 * KILLS):
        if killed == KILLS:
            break
        if number % 2:  # in the middle of writing
            process = start(parts, chance.randrange(1, 60))
        else:  # whenever it may be
            process = start(parts)
            process.join(chance.uniform(0.3, 1.2))
            process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        halves += any(path.name.endswith(".tmp") for path in parts.path.rglob(".*"))
        if process.exitcode == 0:
            shutil.rmtree(parts.path)  # it was faster than we: once more from the start
        else:
            assert process.exitcode == -signal.SIGKILL, (tmp_path / "said").read_text()
    assert killed == KILLS and halves > 0
    last = start(parts)
    last.join()
    assert last.exitcode == 0, (tmp_path / "said").read_text()

    assert [path.name for path in whole.states()][:1] == [path.name for path in parts.states()][:1]
    a, b = (load_file(run.states()[0]) for run in (whole, parts))
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    for model in (*whole.snapshots(), *whole.milestones()):
        a, b = (load_file(path) for path in (model, parts.models / model.name))
        assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    assert logged(whole) == logged(parts)
    for ours, theirs in zip(whole.grids(), parts.grids()):
        if (parts.path / ours.name).is_file():
            assert (parts.path / ours.name).read_bytes() == ours.read_bytes()
        assert theirs.stat().st_size
    assert not list(parts.path.rglob("*.tmp"))


def logged(run: RunFiles) -> list[dict[str, object]]:
    entries = [json.loads(line) for line in run.log.read_text().splitlines()]
    return [{k: v for k, v in entry.items() if k not in ("seconds", "images_per_second")} for entry in entries]
