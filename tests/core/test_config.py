"""Impossible values are refused where the configuration is made."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from growgan.core import config
from growgan.core.config import NetworkSpec, RunConfig
from growgan.core.errors import ConfigError
from growgan.core.fields import from_json, per

IMPOSSIBLE: list[tuple[str, dict[str, Any], str]] = [
    *(("NetworkSpec", {"resolution": r}, "power of two") for r in (0, -8, 1, 2, 6, 100)),
    ("NetworkSpec", {"channels": 0}, "channel"),
    ("NetworkSpec", {"num_labels": -1}, "num_labels"),
    ("NetworkSpec", {"fmap_base": 0}, "fmap_base"),
    ("NetworkSpec", {"fmap_max": 0}, "fmap_max"),
    ("NetworkSpec", {"latent_size": 0}, "latent_size"),
    ("NetworkSpec", {"stddev_group": -1}, "stddev_group"),
    ("LossConfig", {"gp_target": 0.0}, "gp_target"),
    *(("LossConfig", {name: -1.0}, "negative") for name in ("gp_weight", "drift", "lsgan_noise")),
    ("LossConfig", {"label_weight": -1.0}, "negative"),
    ("OptimConfig", {"g_lr": per(0.1, {8: -1})}, "rates"),
    ("OptimConfig", {"d_lr": per(-0.1)}, "rates"),
    ("OptimConfig", {"beta1": 1.0}, "beta"),
    ("OptimConfig", {"beta2": -0.1}, "beta"),
    ("OptimConfig", {"eps": 0.0}, "eps"),
    ("OptimConfig", {"rampup_kimg": -1.0}, "rampup"),
    ("LossConfig", {"r1_gamma": per(-1.0)}, "negative"),
    ("LossConfig", {"r1_interval": 0}, "r1_interval"),
    (
        "AugmentConfig",
        {"policy": "colour,rotation"},
        "unknown augmentation 'rotation'; choose from: colour, translation, cut",
    ),
    ("AugmentConfig", {"from_resolution": 48}, "power of two"),
    ("AugmentConfig", {"p": 1.5}, "between 0 and 1"),
    ("AugmentConfig", {"p_max": -0.1}, "between 0 and 1"),
    ("AugmentConfig", {"target": 1.0}, "target"),
    ("AugmentConfig", {"kimg": 0.0}, "kimg"),
    ("AugmentConfig", {"interval": 0}, "interval"),
    ("LossConfig", {"r2_gamma": per(1, {8: -1.0})}, "negative"),
    ("LossConfig", {"gamma_end": -0.1}, "negative"),
    ("AugmentConfig", {"p_end": 1.5}, "between 0 and 1"),
    ("OptimConfig", {"lr_end": -0.1}, "rates"),
    ("OptimConfig", {"beta2_end": 1.0}, "beta"),
    ("OptimConfig", {"ema_kimg_end": -1.0}, "ema_kimg"),
    ("OptimConfig", {"ema_factor": 1.0}, "ema_factor"),
    ("OptimConfig", {"ema_rampup": 1.5}, "ema_rampup"),
    ("OptimConfig", {"ema_kimg": -1.0}, "ema_kimg"),
    *(("ScheduleConfig", {"initial_resolution": r}, "power of two") for r in (0, 2, 12)),
    ("ScheduleConfig", {"training_kimg": per(1, {4: -1})}, "training_kimg"),
    ("ScheduleConfig", {"transition_kimg": per(-1)}, "transition_kimg"),
    ("ScheduleConfig", {"total_kimg": 0}, "total_kimg"),
    ("ScheduleConfig", {"minibatch": per(16, {4: 0})}, "minibatch"),
    ("ScheduleConfig", {"minibatch": per(1.5)}, "minibatch"),
    ("ScheduleConfig", {"minibatch_repeats": 0}, "repeats"),
    ("ScheduleConfig", {"d_repeats": 0}, "repeats"),
    ("ScheduleConfig", {"tick_kimg": per(0)}, "tick_kimg"),
    ("DataConfig", {"build_resolution": 100}, "power of two"),
    ("SnapshotConfig", {"image_ticks": 0}, "ticks"),
    ("SnapshotConfig", {"model_ticks": 0}, "ticks"),
    ("SnapshotConfig", {"keep": 0}, "keep"),
    ("SnapshotConfig", {"keep_states": 0}, "keep_states"),
    ("SnapshotConfig", {"measure_images": 1}, "measure_images"),
    ("SnapshotConfig", {"state_minutes": 0.0}, "state_minutes"),
    ("ExecutionConfig", {"microbatch": 0}, "microbatch"),
    ("ExecutionConfig", {"threads": 0}, "threads"),
]


@pytest.mark.parametrize(("section", "fields", "said"), IMPOSSIBLE)
def test_impossible_values(section: str, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        getattr(config, section)(**fields)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "fields", [{"fmap_decay": 1e9}, {"fmap_decay": -1e9}, {"fmap_decay": -5.0, "fmap_base": 10**400}]
)
def test_widths_that_cannot_be_computed_are_refused_with_a_sentence(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        NetworkSpec(**fields).width(128)


APART: list[tuple[dict[str, Any], str]] = [
    ({"optim": {"ema_kimg_end": 20.0}}, "set optim.ema_kimg too"),
    ({"optim": {"ema_rampup": 0.05}}, "set optim.ema_kimg too"),
    ({"augment": {"policy": "cutout", "strength": "adaptive"}}, ", which loss.name=wgan_gp does not"),
    (
        {"augment": {"policy": "cutout", "strength": "adaptive", "p": 0.9}, "loss": {"name": "logistic"}},
        "augment.p = 0.9 is above its upper limit, augment.p_max = 0.8",
    ),
]


@pytest.mark.parametrize(("sections", "said"), APART)
def test_sections_that_do_not_go_together(sections: dict[str, dict[str, Any]], said: str) -> None:
    run = from_json(RunConfig, sections)
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        run.check_whole()
    assert "\n" not in str(caught.value)


def test_widths() -> None:
    spec = NetworkSpec(resolution=1024)
    assert [spec.width(size) for size in spec.stages] == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert (spec.z_size, spec.width(2)) == (512, 512)
    quarter = NetworkSpec(resolution=128, fmap_base=2048)
    assert [quarter.width(size) for size in quarter.stages] == [512, 512, 256, 128, 64, 32]
    slow = NetworkSpec(fmap_base=100, fmap_decay=0.5, fmap_max=64)
    assert [slow.width(size) for size in (4, 8, 16, 64)] == [64, 50, 35, 17], "fractions are cut off"
    assert NetworkSpec(resolution=64, fmap_base=4).width(64) == 1, "never less than one"
    assert NetworkSpec(fmap_base=64, fmap_max=512).z_size == 64
    assert NetworkSpec(latent_size=7).z_size == 7


@pytest.mark.parametrize(("group", "has"), [(None, True), (0, False), (1, False), (2, True), (16, True)])
def test_has_stddev(group: int | None, has: bool) -> None:
    assert NetworkSpec(stddev_group=group).has_stddev == has


def test_a_run_is_frozen() -> None:
    run = RunConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.seed = 3
    with pytest.raises(ConfigError):
        dataclasses.replace(run.network, resolution=100)
