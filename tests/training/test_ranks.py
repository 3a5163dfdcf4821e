"""Several processes are one: what two compute together is what one computes alone, and none waits for a dead one."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch
from discs import SHORT, TINY
from PIL import Image
from training import sharing

from growgan.cli.main import main
from growgan.core.errors import RemoteError
from growgan.core.runfiles import RunFiles, images_shown
from growgan.training.ranks import Ranks

SETTINGS = ("--set", "snapshots.measure=none")


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> dict[str, dict[str, torch.Tensor]]:
    """What two processes have computed together."""
    out = tmp_path_factory.mktemp("shared") / "results"
    processes = sharing.launch([sharing.__file__, str(out)], 2)
    for process in processes:
        said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    return torch.load(out)


@pytest.mark.parametrize("name", sharing.RUNS)
def test_two_processes_in_float64_are_one_through_a_growth_step(shared, name):
    alone, together = sharing.whole_run(name), shared[f"run {name}"]
    assert alone.keys() == together.keys()
    for key, value in alone.items():
        torch.testing.assert_close(
            together[key], value, rtol=1e-8, atol=1e-8, msg=lambda text, key=key: f"{key}: {text}"
        )


@pytest.mark.parametrize("name", sharing.GRADIENTS)
def test_gradients_in_float32(shared, name):
    alone, together = sharing.gradients(name), shared[f"gradients {name}"]
    assert alone.keys() == together.keys()
    for key, value in alone.items():
        # Some biases get a sum that cancels, such as scores of fakes less those of reals: what is left is rounding.
        assert (together[key] - value).norm() <= 1e-5 * value.norm() + 1e-7, key
    for network in ("Discriminator", "Generator"):
        whole, both = (
            torch.cat([some[key].flatten() for key in some if key.startswith(network)]) for some in (alone, together)
        )
        assert len(whole) > 1000
        assert (both - whole).norm() <= 1e-5 * whole.norm()


# Whole commands


def train(run, data, world: int, *words: str) -> list[tuple[int, str]]:
    """Exit status and stderr of ``growgan train`` in each of `world` processes."""
    processes = sharing.launch(["-m", "growgan", "train", "--out", str(run), "--data", str(data), *words], world)
    said = [process.communicate(timeout=120)[1] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, said)]


def test_all_know_what_one_has_met(monkeypatch):
    """The first process writes down why something is not there, also where another one has met it."""

    def gather(sentences, own):
        sentences[:] = [own, "out of memory: use a smaller batch"]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    with pytest.raises(RemoteError, match="out of memory: use a smaller batch"):
        Ranks(rank=0, world=2).on_all(lambda: None)


@pytest.mark.slow
def test_more_processes_than_groups_are_refused_once_and_nothing_is_written(tmp_path, colour_set):
    (status, said), *others = train(tmp_path / "run", colour_set, 3, *SHORT)
    assert status == 2 and others == [(2, ""), (2, "")]
    assert said == (
        "growgan: 3 processes cannot share a minibatch at 16x16, which has 2 groups of images for "
        "minibatch stddev: use --preset v2-4gpus\n"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_trouble_is_met_by_all_and_said_by_one(tmp_path, colour_set):
    (status, said), other = train(tmp_path / "run", colour_set, 2, *TINY, *SETTINGS, "--set", "optim.d_lr=3")
    assert status == 2 and other == (2, "")
    assert "has exploded" in said.splitlines()[-1] and "the last saved state is kept" in said


@pytest.mark.slow
def test_a_process_that_dies_ends_the_other_and_any_number_goes_on(tmp_path, colour_set):
    run = RunFiles(tmp_path / "run")
    words = [*TINY, "--kimg", "100", "--set", "snapshots.state_minutes=0.001", "--set", "snapshots.measure=none"]
    first, second = sharing.launch(["-m", "growgan", "train", "--out", run.path, "--data", colour_set, *words], 2)
    while not run.log.is_file():
        assert first.poll() is None and second.poll() is None
        time.sleep(0.05)
    second.kill()
    began = time.monotonic()
    said = first.communicate(timeout=60)[1]
    assert time.monotonic() - began < 60
    assert first.returncode == 2
    assert "growgan: lost another process of this run" in said.splitlines()[-1]
    second.communicate()

    kept = images_shown(run.states()[0])
    assert kept >= 64
    end = ["--kimg", str((kept + 160) / 1000), *SETTINGS]
    (status, said), *others = train(run.path, colour_set, 3, *end)  # one of which has nothing to do
    assert (status, others) == (0, [(0, ""), (0, "")])
    assert f"resuming from {kept / 1000:g} kimg" in said
    assert said.count("warning: 1 of 3 processes idle at ") == 1
    log = [json.loads(line)["nimg"] for line in run.log.read_text().splitlines()]
    assert log == sorted(set(log)) and log[-1] >= kept + 160


@pytest.mark.slow
def test_what_the_processes_make_together_is_what_one_makes(tmp_path, colour_set):
    """Grids, measures, log and models: the first process writes for both what the one writes alone.

    Each of the two keeps the pictures in its memory, and the one reads them.
    """
    words = [*TINY, "--precision", "float64", "--set", "snapshots.measure_images=96"]
    (status, said), other = train(tmp_path / "two", colour_set, 2, *words, "--set", "execution.resident=always")
    assert (status, other) == (0, (0, "")), said
    assert said.count("pictures: keeping 96 of ") == 3
    assert main(["train", "--out", str(tmp_path / "one"), "--data", str(colour_set), *words]) == 0
    one, two = RunFiles(tmp_path / "one"), RunFiles(tmp_path / "two")
    names = [{path.relative_to(run.path) for path in run.path.rglob("*.*")} for run in (one, two)]
    assert {name for name in names[0] ^ names[1] if "tfevents" not in name.name} == set()
    logs = [[json.loads(line) for line in run.log.read_text().splitlines()] for run in (one, two)]
    assert [entry["nimg"] for entry in logs[0]] == [entry["nimg"] for entry in logs[1]]
    for alone, together in zip(*logs):
        assert together["D/loss"] == pytest.approx(alone["D/loss"], rel=1e-8)
        for name, measured in alone.get("measures", {}).items():
            assert together["measures"][name]["value"] == pytest.approx(measured["value"], rel=1e-3)
    assert "measures" in logs[0][-1]
    for alone, together in zip(one.grids(), two.grids()):
        with Image.open(alone) as a, Image.open(together) as b:
            assert np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max() <= 1
