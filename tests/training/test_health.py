"""Runs driven into trouble by hostile rates: noticed, said with the place, and stopped or taken back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from discs import TINY
from training.making import Quiet, begin, half_and_half, small

from growgan.core.errors import RunError
from growgan.core.fields import per
from growgan.core.presets import preset
from growgan.core.runfiles import RunFiles
from growgan.losses import LOSSES
from growgan.models.native import open_model
from growgan.sampling import latents
from growgan.training import health, job, step
from growgan.training.health import TrainingFailure, examine
from growgan.training.loop import train
from growgan.training.ranks import Ranks
from growgan.training.request import Request
from growgan.training.stop import Stop


def failing_run(loss: str, g_lr: float, d_lr: float, **health: object) -> tuple[str, Quiet]:
    """What a run with these rates comes to, and what its callbacks was told."""
    config = small(resolution=8, total_kimg=0.4)
    config = replace(
        config,
        loss=replace(config.loss, name=loss),
        optim=replace(config.optim, g_lr=per(g_lr), d_lr=per(d_lr)),
        health=replace(config.health, **health),
    )
    state, schedule, feed = begin(config, half_and_half())
    callbacks = Quiet()
    with pytest.raises(TrainingFailure) as caught:
        train(state, schedule, feed, callbacks, Stop())
    return str(caught.value), callbacks


@pytest.mark.parametrize(
    ("loss", "g_lr", "d_lr", "what"),
    [
        ("wgan_gp", 0.001, 3, "the gradient penalty has exploded: "),
        ("logistic", 0.001, 1, "the gradient penalty has exploded: "),
        ("wgan_gp", 3, 0.001, "G has collapsed: 16 latents give pictures that differ by only 0 of 255 grey levels"),
        ("logistic", 1, 0.001, "G has collapsed: "),
        ("wgan_gp", 1e18, 1e18, "the loss of "),
        ("lsgan", 1e18, 1e18, "the loss of "),
    ],
)
def test_hostile_rates(loss, g_lr, d_lr, what):
    said, callbacks = failing_run(loss, g_lr, d_lr)
    assert said.startswith("after ") and " images at " in said and what in said
    assert callbacks.saved == [nimg for nimg, _ in callbacks.ticks]  # and nothing after the trouble


def test_scores_that_run_away():
    said, callbacks = failing_run("wgan_gp", 0.001, 3, penalty_limit=0)
    assert "D's scores have diverged: " in said
    assert callbacks.saved == [nimg for nimg, _ in callbacks.ticks]


def test_a_dead_discriminator():
    state, schedule, _ = begin(small(), half_and_half())
    with torch.no_grad():
        last = [p for name, p in state.D.named_parameters() if name.startswith("4x4") and name.endswith("weight")][-1]
        last.zero_()
        [p for name, p in state.D.named_parameters() if name.endswith("bias")][-1].fill_(1.0)
    with pytest.raises(TrainingFailure, match="D has collapsed: it gives 16 different pictures the same score"):
        examine(state, schedule.at(0))


@pytest.mark.parametrize("part", [4, 5])
def test_large_pictures_are_looked_at_in_parts(monkeypatch, part):
    """The latents that a whole look would take, and the same verdict, however many fit at once."""
    monkeypatch.setattr(health, "batch_size", lambda resolution: part)
    state, schedule, _ = begin(small(), half_and_half())
    seen = []
    state.G.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    examine(state, schedule.at(0))
    assert [len(z) for z in seen] == ([4] * 4 if part == 4 else [5, 5, 5, 1])
    whole, _ = latents.draw(range(16), state.spec, {})
    assert torch.equal(torch.cat(seen), whole)
    for p in state.G.parameters():
        p.data.zero_()
    with pytest.raises(TrainingFailure, match="G has collapsed: 16 latents give"):
        examine(state, schedule.at(0))


def test_parts_are_judged_together(monkeypatch):
    """Pictures, and scores, that are alike within each part but not from part to part are in health."""
    monkeypatch.setattr(health, "batch_size", lambda resolution: 4)
    state, schedule, _ = begin(small(), half_and_half())
    parts = iter(range(4))
    state.G.register_forward_hook(lambda _, __, images: torch.full_like(images, next(parts) / 4))
    state.D.register_forward_hook(lambda _, inputs, out: (inputs[0].mean(dim=(1, 2, 3)), *out[1:]))
    examine(state, schedule.at(0))


def test_what_is_not_looked_at_is_no_trouble():
    state, schedule, _ = begin(small(), half_and_half())
    for p in state.G.parameters():
        p.data.zero_()
    with pytest.raises(TrainingFailure, match="G has collapsed"):
        examine(state, schedule.at(0))
    state.config = replace(state.config, health=replace(state.config.health, diversity_limit=0, score_limit=0))
    examine(state, schedule.at(0))


@pytest.mark.parametrize("name", ["weights", "stats"])
def test_nonsense_that_no_step_has_met(name):
    """On a GPU no step is looked at: the weights and the sums of the tick tell before anything is written."""
    state, schedule, _ = begin(small(), half_and_half())
    examine(state, schedule.at(0))
    if name == "weights":
        next(state.G_ema.parameters()).data.view(-1)[0] = float("nan")
        what = "the weights of G_ema are not finite"
    else:
        state.tick_steps, state.tick_sums = 2, {"D/loss": torch.tensor(1.0), "G/loss": torch.tensor(float("inf"))}
        what = "values in the last steps: G/loss"
    with pytest.raises(TrainingFailure, match=what):
        examine(state, schedule.at(0))


class First(Ranks):
    """The first of two processes; the other one found what `other` is."""

    other: object = None

    def on_first(self, work):
        return work()

    def gather(self, value):
        self.other = value if self.other is None else self.other
        return [value, self.other]


@pytest.mark.parametrize("name", ["G", "D", "G_ema"])
def test_processes_that_hold_other_weights(name):
    state, schedule, _ = begin(small(), half_and_half())
    state.ranks = First(0, 2)
    examine(state, schedule.at(0))
    next(getattr(state, name).parameters()).data.view(-1)[0] += 1e-3
    with pytest.raises(TrainingFailure, match="processes 1 have different weights from the first one"):
        examine(state, schedule.at(0))


def test_nonsense_within_a_tick_is_noticed_at_its_end(monkeypatch):
    monkeypatch.setattr(step, "check_finite", lambda stats, network: None)
    said, callbacks = failing_run("wgan_gp", 1e18, 1e18)
    assert "non-finite values" in said
    assert callbacks.saved == callbacks.ticks == []


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("labels", [0, 3])
def test_a_fresh_run_is_healthy_at_every_stage(loss, labels):
    config = preset("tiny")
    config = replace(config, network=replace(config.network, resolution=16, num_labels=labels, multi_label=labels > 0))
    config = replace(config, loss=replace(config.loss, name=loss))
    state, schedule, _ = begin(config, half_and_half(size=16))
    for stage in schedule.stages:
        examine(state, schedule.trained(stage, 0.5))
        examine(state, schedule.trained(stage))


# Whole jobs


def start(out, data, *words: tuple[str, str]) -> job.Outcome:
    request = Request(data=data, out=out, preset="tiny", overrides=words)
    prepared = job.prepare(request)
    with prepared.dataset:
        return job.train(prepared)


SHORT = [("schedule.total_kimg", "0.4"), ("schedule.training_kimg", "0.1"), ("schedule.transition_kimg", "0.1")]
SHORT += [("schedule.tick_kimg", "0.1"), ("snapshots.measure", "none")]
HOSTILE = [*SHORT, ("optim.d_lr", "3")]


def test_stopping_keeps_the_last_good_state_and_going_back_lowers_the_rates(tmp_path, colour_set, capsys):
    run = RunFiles(tmp_path / "run")
    with pytest.raises(
        RunError, match=r"exploded.*failure-.*; stopped; the last saved state is kept: use --set health"
    ) as told:
        start(run.path, colour_set, *HOSTILE)
    assert "\n" not in str(told.value)
    assert [state.name for state in run.states()] == ["state-000000000000.safetensors"]
    assert not run.log.exists() or run.log.read_text() == ""
    kept = list(run.models.glob("failure-*"))
    assert len(kept) == 1
    assert "exploded" in open_model(kept[0]).card["failure"]

    again = [("health.policy", "rollback"), ("health.rollback_rate", "0.001")]
    assert start(run.path, colour_set, *again).ended
    entries = [json.loads(line) for line in run.log.read_text().splitlines()]
    assert {entry["d_lr"] for entry in entries} == {0.003}
    assert [entry["nimg"] for entry in entries] == sorted({entry["nimg"] for entry in entries})
    assert "warning: after 1" in (said := capsys.readouterr().err)
    assert "back to 0 kimg, resuming at 0.001 times the scheduled learning rates" in said
    # The lower rates are part of the state.
    assert start(run.path, colour_set, ("schedule.total_kimg", "0.5")).ended
    assert {json.loads(line)["d_lr"] for line in run.log.read_text().splitlines()} == {0.003}


def test_going_back_after_a_loss_that_was_not_finite(tmp_path, colour_set, capsys):
    """The step is broken off between its gradients and Adam, and leaves nonsense in them."""
    words = [*SHORT, ("optim.g_lr", "1e18"), ("optim.d_lr", "1e18"), ("execution.device", "cpu")]
    back = [("health.policy", "rollback"), ("health.rollback_rate", "1e-21")]
    assert start(tmp_path / "run", colour_set, *words, *back).ended
    assert (said := capsys.readouterr().err).count("back to 0 kimg") == 1 and "is not finite" in said


def test_going_back_again_and_again_ends(tmp_path, colour_set, capsys):
    words = [*HOSTILE, ("health.policy", "rollback"), ("health.rollback_rate", "0.9"), ("health.max_rollbacks", "2")]
    with pytest.raises(RunError, match="stopped after 2 rollbacks; the last saved state is kept"):
        start(tmp_path / "run", colour_set, *words)
    assert capsys.readouterr().err.count("back to 0 kimg") == 2


def test_the_command_line_says_it_in_one_line(tmp_path, colour_set, capsys):
    from growgan.cli.main import main

    words = [*TINY, "--set", "optim.g_lr=5", "--set", "snapshots.measure=none"]
    assert main(["train", "--data", str(colour_set), "--out", str(tmp_path / "run"), *words]) == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("growgan: after ") and "G has collapsed" in last
