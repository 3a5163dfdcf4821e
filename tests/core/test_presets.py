"""Presets hold the values of the paper's and the release's tables (recipe 2.4)."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.release_schedule import CAPS, RELEASES

from growgan.core.config import RunConfig
from growgan.core.errors import ConfigError
from growgan.core.fields import from_json, per, to_json
from growgan.core.presets import MODIFIERS, PRESETS, ROW_PRESETS, ROWS, preset

SIZES = [4, 8, 16, 32, 64, 128, 256, 512, 1024]


def test_the_names() -> None:
    release = {"v1-1gpu", "v2-1gpu", "v2-2gpus", "v2-4gpus", "v2-8gpus"}
    ours = {"paper", "celeba128", "lsun", "cifar10", "celebahq", "laptop", "fast", "robust", "transfer", "tiny"}
    assert set(PRESETS) == release | ours
    assert {"no-growing", "no-pixelnorm", "no-wscale", "no-leakyrelu", "no-stddev", "no-fade"} <= set(MODIFIERS)
    assert set(ROWS) == {"row-d", "row-e", "row-f", "row-g", "row-h"}


@pytest.mark.parametrize("name", RELEASES)
def test_the_release_s(name: str) -> None:
    run, release = preset(name), RELEASES[name]
    schedule, optim, network = run.schedule, run.optim, run.network
    for size in SIZES:
        assert schedule.minibatch(size) == release.images(size)
        assert optim.g_lr(size) == optim.d_lr(size) == release.rate(size)
        assert schedule.training_kimg(size) == release.training_kimg
        assert schedule.transition_kimg(size) == release.transition_kimg
        assert size not in CAPS or schedule.minibatch(size) <= CAPS[size] * release.gpus
    assert schedule.total_kimg == release.total_kimg
    assert network.stddev_group == (16 if name == "v1-1gpu" else 4)
    assert network.d_down == "pool_act"
    assert run.data.mirror


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in ("fast", "robust")])
def test_what_all_share_but_the_later_recipes(name: str) -> None:
    run = preset(name)
    optim, loss, network = run.optim, run.loss, run.network
    assert run.preset == name
    assert (optim.beta1, optim.beta2, optim.eps, optim.reset) == (0.0, 0.99, 1e-8, True)
    assert (loss.name, loss.gp_weight, loss.drift, loss.label_weight) == ("wgan_gp", 10, 0.001, 1)
    assert loss.gp_target == (750 if name == "cifar10" else 1)
    assert network.pixelnorm and network.wscale and network.leaky_relu and network.normalize_latents
    assert (run.schedule.minibatch_repeats, run.schedule.d_repeats, run.seed) == (4, 1, 1000)
    assert run.schedule.growing and run.schedule.initial_resolution == 4
    assert optim.rampup_kimg == {"celebahq": 40, "lsun": 40, "transfer": 1}.get(name, 0)
    if name not in ("laptop", "transfer", "tiny"):
        assert (optim.ema_factor, optim.ema_kimg) == (0.999, None)


# Name: minibatch at 128, 256 and 1024; training and transition; total; fmap_base, fmap_max, latent.
OURS = {
    "paper": ((16, 14, 3), (800, 800), 19000, (8192, 512, 512)),
    "celebahq": ((16, 14, 3), (800, 800), 19000, (8192, 512, 512)),
    "lsun": ((16, 16, 16), (800, 800), 20000, (8192, 512, 512)),
    "celeba128": ((16, 16, 16), (800, 800), 10000, (2048, 512, 512)),
    "cifar10": ((16, 16, 16), (400, 400), 20000, (4096, 128, 128)),
}


@pytest.mark.parametrize("name", OURS)
def test_the_paper_s(name: str) -> None:
    run = preset(name)
    minibatches, lengths, total, (base, widest, latent) = OURS[name]
    assert tuple(run.schedule.minibatch(size) for size in (128, 256, 1024)) == minibatches
    assert (run.schedule.training_kimg, run.schedule.transition_kimg) == tuple(map(per, lengths))
    assert run.schedule.total_kimg == total
    assert (run.network.fmap_base, run.network.fmap_max, run.network.z_size) == (base, widest, latent)
    assert run.network.d_down == "act_pool"
    assert run.network.stddev_group == (16 if name == "paper" else None)
    assert run.optim.g_lr == run.optim.d_lr == per(0.001)
    assert run.data.mirror == (name != "cifar10")


def test_gamma_of_fast_is_the_rule_of_stylegan2_ada() -> None:
    """From 64x64 on; below it is somewhat heavier."""
    run = preset("fast")
    for size in SIZES:
        rule = 0.0002 * size**2 / run.schedule.minibatch(size)
        least, most = (0.95 * rule, 1.05 * rule) if size >= 64 else (rule, 0.02)
        assert least <= run.loss.r1_gamma(size) <= most
    assert run.loss.r1_interval == 16


def test_robust_goes_the_way_of_r3gan() -> None:
    """Its FFHQ-64: gamma 2 to 0.2, rates to a quarter, beta2 0.9 to 0.99, an average that lengthens from none."""
    run = preset("robust")
    loss, optim = run.loss, run.optim
    assert (loss.name, loss.r1_gamma(64), loss.r2(64), loss.gamma_end) == ("relativistic", 2, 2, 0.1)
    assert (optim.lr_end, optim.beta2, optim.beta2_end, optim.ema_kimg) == (0.25, 0.9, 0.99, 0)
    assert optim.g_lr == optim.d_lr == per(0.002) and preset("fast").optim.g_lr == per(0.008)  # steady, and quick


@pytest.mark.parametrize("base", ROW_PRESETS)
@pytest.mark.parametrize(
    ("row", "stddev", "wscale", "pixelnorm", "lr", "fmap_base"),
    [
        ("row-d", False, False, False, 0.0001, 2048),
        ("row-e", True, False, False, 0.0001, 2048),
        ("row-f", True, True, False, 0.001, 2048),
        ("row-g", True, True, True, 0.001, 2048),
        ("row-h", True, True, True, 0.001, 8192),
    ],
)
def test_rows_of_table_1(
    base: str, row: str, stddev: bool, wscale: bool, pixelnorm: bool, lr: float, fmap_base: int
) -> None:
    run = preset(f"{base},{row}")
    network, schedule = run.network, run.schedule
    assert (network.has_stddev, network.wscale, network.pixelnorm) == (stddev, wscale, pixelnorm)
    assert run.optim.g_lr == run.optim.d_lr == per(lr)
    assert (network.fmap_base, run.optim.rampup_kimg) == (fmap_base, 0)
    assert (schedule.minibatch, schedule.training_kimg) == (per(16), per(800))
    assert schedule.total_kimg == 10000 if row != "row-h" else schedule.total_kimg > 10000


def test_modifiers_change_one_thing() -> None:
    changes = {
        "no-growing": ("schedule", "growing", False),
        "no-fade": ("schedule", "transition_kimg", per(0)),
        "no-pixelnorm": ("network", "pixelnorm", False),
        "no-wscale": ("network", "wscale", False),
        "no-leakyrelu": ("network", "leaky_relu", False),
        "no-stddev": ("network", "has_stddev", False),
    }
    for base in PRESETS:
        plain = to_json(preset(base))
        for modifier, (section, name, value) in changes.items():
            run = preset(f"{base},{modifier}")
            assert getattr(getattr(run, section), name) == value
            data = to_json(run)
            changed = [(s, f) for s in data if isinstance(data[s], dict) for f in data[s] if data[s][f] != plain[s][f]]
            assert changed == [(section, "stddev_group" if name == "has_stddev" else name)]


def legal_names() -> list[str]:
    names = list(PRESETS)
    for base in PRESETS:
        modifiers = [*MODIFIERS, *(ROWS if base in ROW_PRESETS else ())]
        names += [f"{base},{modifier}" for modifier in modifiers]
        names += [",".join((base, *pair)) for pair in itertools.permutations(modifiers, 2)]
    return names


def test_every_legal_name_survives_json() -> None:
    for name in legal_names():
        run = preset(name)
        run.check_whole()
        assert from_json(RunConfig, json.loads(json.dumps(to_json(run)))) == run, name


@settings(max_examples=50, deadline=None)
@given(base=st.sampled_from(ROW_PRESETS), modifiers=st.lists(st.sampled_from([*MODIFIERS, *ROWS]), max_size=5))
def test_many_modifiers_survive_json(base: str, modifiers: list[str]) -> None:
    run = preset(", ".join((base, *modifiers)))
    assert from_json(RunConfig, json.loads(json.dumps(to_json(run)))) == run


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "''"),
        ("nope", "'nope'"),
        ("paper,nope", "'nope'"),
        ("paper,", "''"),
        ("no-growing", "'no-growing'"),
        ("Paper", "'Paper'"),
        *((f"{base},row-g", "'row-g'") for base in PRESETS if base not in ROW_PRESETS),
        ("celeba128,row-a", "'row-a'"),
    ],
)
def test_refuses_what_does_not_exist(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        preset(name)
