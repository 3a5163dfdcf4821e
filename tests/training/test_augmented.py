"""Augmentation in a run: that it is told, that it moves, and that it goes with losses that give it a sign."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from discs import SHORT
from training.making import Quiet, begin, half_and_half, recipe, small

from growgan.cli.main import main
from growgan.core.augmentation import AugmentConfig
from growgan.training.loop import train
from growgan.training.step import train_step
from growgan.training.stop import Stop


def test_p_moves_at_the_sizes_that_are_augmented_and_only_there():
    state, schedule, feed = begin(recipe(small(total_kimg=0.4), "augmented"), half_and_half())
    ps: dict[int, set[float]] = {}
    callbacks = Quiet()
    callbacks.after_step = lambda state, phase, *_: ps.setdefault(phase.resolution, set()).add(
        state.augment.p(0).item()
    )
    train(state, schedule, feed, callbacks, Stop())
    assert ps[4] == {0.5} and len(ps[8]) > 5


def test_below_its_size_augmentation_changes_no_step():
    def trained(augment: AugmentConfig, stage: int):
        state, schedule, feed = begin(replace(small(), augment=augment), half_and_half())
        train_step(state, schedule.trained(schedule.stages[stage]), feed)
        return state.tensors()

    plain, augmented = AugmentConfig(), AugmentConfig(policy="colour,cutout", from_resolution=8)
    lower = trained(plain, 0), trained(augmented, 0)
    assert all(torch.equal(value, lower[1][name]) for name, value in lower[0].items())
    higher = trained(plain, 1), trained(augmented, 1)
    assert not torch.equal(*(tensors["D.8x8.conv0.weight"] for tensors in higher))


def test_the_command_line(colour_set, tmp_path, capsys):
    run = tmp_path / "run"
    words = [
        "train",
        "--data",
        str(colour_set),
        "--out",
        str(run),
        *SHORT,
        "--set",
        "augment.policy=colour,translation",
    ]
    words += ["--set", "augment.from_resolution=16", "--set", "augment.strength=adaptive"]
    assert main(words) == 2
    assert capsys.readouterr().err == (
        "growgan: augment.strength=adaptive needs signed scores from D, which loss.name=wgan_gp does not "
        "give: use augment.strength=fixed, or loss.name=logistic or relativistic\n"
    )
    assert not run.exists()
    assert main([*words, "--set", "loss.name=logistic", "--set", "augment.kimg=0.5"]) == 0
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert {entry["resolution"] for entry in log if "augment_p" in entry} == {16}
    assert 0 <= log[-1]["augment_p"] <= 0.8
    assert all(-1 <= entry["D/sign"] <= 1 for entry in log)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_fixed_p_needs_no_sign(p):
    config = replace(small(), augment=AugmentConfig(policy="cutout", from_resolution=4, p=p))
    config.check_whole()
    state, schedule, feed = begin(config, half_and_half())
    stats = train_step(state, schedule.at(0), feed)
    assert stats["D/loss"].isfinite() and "D/sign" not in stats
    assert not state.augment.state
