"""The measurements: that they measure what they name, and say so."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from growgan.bench import bench, footprint, limits, loading, stages, startup, steps
from growgan.bench.table import TABLES, number
from growgan.bench.timing import laps
from growgan.core.errors import ConfigError, DataError
from growgan.core.fields import per, replaced
from growgan.core.presets import preset
from growgan.core.schedule import Schedule
from growgan.data.dataset import open_dataset
from growgan.devices import set_up
from growgan.networks.cost import step_flops

CPU = torch.device("cpu")
PLAIN = (("execution.device", "cpu"), ("execution.precision", "float32"), ("execution.plan", "plain"))


def request(**fields: Any) -> bench.Request:
    return bench.Request(**{"preset": "tiny", "quick": True, "overrides": PLAIN, **fields})


def test_laps_are_the_time_of_the_work() -> None:
    calls: list[float] = []
    found = laps(lambda: calls.append(time.sleep(0.01) or 0.0), CPU, seconds=0.05, warm_up=2)
    assert len(calls) == len(found.seconds) + 2 and 3 <= len(found.seconds) <= 5
    assert 0.01 <= found.least <= found.median < 1


def test_a_step_is_timed_and_its_share_is_of_the_limit() -> None:
    config = bench.configured(request())
    case = steps.Case("tiny", config, 8, 8)
    row = steps.time_step(case, set_up(config.execution), 0.05, limit=1e9, bandwidth=1e9)
    assert row.seconds and row.images_per_second == pytest.approx(8 / row.seconds)
    assert row.flops_plain == 8 * step_flops(config.network, 8)
    assert row.share_plain == pytest.approx(row.flops_plain / row.seconds / 1e9)
    assert row.flops_fused and row.flops_fused < row.flops_plain
    assert row.operations and row.bytes and row.share_bandwidth == pytest.approx(row.bytes / row.seconds / 1e9)


def test_standard_steps_are_the_papers_whatever_a_run_takes_by_itself() -> None:
    config = bench.configured(request(preset=None))
    assert config.loss == preset("paper").loss
    for case in steps.default_cases(set_up(config.execution), config):
        assert case.config.loss.name == "wgan_gp" and case.config.network.fmap_max in (128, 512)


def test_lazy_penalties_count_as_often_as_they_come() -> None:
    base = bench.configured(request(overrides=(*PLAIN, ("loss.name", "logistic"))))

    def done(**loss: Any) -> float:
        config = replace(base, loss=replace(base.loss, **loss))
        row = steps.time_step(steps.Case("tiny", config, 8, 8), set_up(config.execution), 0.01)
        assert row.flops_done
        return row.flops_done

    always, never = done(), done(r1_gamma=per(0))
    assert done(r1_interval=4) == pytest.approx(always / 4 + 3 * never / 4) and always > never


def test_sections_that_do_not_go_together_are_refused() -> None:
    augment = (("augment.policy", "cutout"), ("augment.strength", "adaptive"))
    with pytest.raises(ConfigError, match=r"augment\.strength=adaptive needs signed scores from D"):
        bench.configured(request(overrides=(*PLAIN, *augment)))


def test_a_step_that_does_not_fit_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "free_memory", lambda device: 1000.0)
    config = bench.configured(request())
    row = steps.time_step(steps.Case("tiny", config, 8, 8), set_up(config.execution), 0.05)
    assert row.seconds is None and row.note.startswith("needs about ") and row.note.endswith(" free")
    assert row.note in TABLES["steps"].render([row])


def test_default_cases_are_both_forms_of_d_at_full_width_and_small() -> None:
    config = bench.configured(request(preset=None))
    cases = steps.default_cases(set_up(config.execution), config)
    assert [(case.name, case.resolution, case.minibatch) for case in cases[::2]] == [
        ("full", 8, 16),
        ("full", 32, 8),
        ("full", 128, 2),
        ("small", 64, 16),
    ]
    assert {case.config.network.d_down for case in cases} == {"act_pool", "pool_act"}
    assert cases[0].config.network.width(8) == 512 and cases[-1].config.network.width(64) == 32


def test_the_limit_is_the_best_pass_of_its_precision() -> None:
    rates = [limits.Rate(what, p, rate, "") for what, p, rate in (
        ("forward", "float32", 2.0), ("weight", "float32", 3.0), ("matrix", "float32", 9.0), ("input", "bfloat16", 5.0),
    )]  # fmt: skip
    assert limits.convolution_limit(rates, "float32") == 3.0
    assert limits.convolution_limit(rates, "bfloat16") == 5.0
    assert limits.convolution_limit([], "float32") is None


def test_limits_are_rates_of_all_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "convolution_shapes", lambda device: [(16, 8, 2)])
    found = limits.convolutions(set_up(bench.configured(request()).execution), "float32", 0.001)
    assert {rate.what for rate in found} == set(limits.PASSES)
    assert all(math.isfinite(rate.rate) and rate.rate > 0 for rate in found)


def test_the_loader_is_measured_on_pictures_that_are_made_up() -> None:
    with loading.a_set(None, 16, 24, pytest.fail) as dataset:
        assert (len(dataset), dataset.resolution, dataset.channels) == (24, 16, 3)
        assert np.ptp(dataset.images([0, 1], 16)) > 50
        folder = dataset.path.parent
        found = loading.rates(dataset, [(4, 8), (16, 8)], 0.02)
    assert not folder.exists()
    assert [(rate.resolution, rate.minibatch) for rate in found] == [(4, 8), (16, 8)]
    assert all(rate.images_per_second > 0 and rate.cold_images_per_second for rate in found)
    assert loading.beside(found[0], found[0].images_per_second / 20, False).ratio == pytest.approx(20)
    assert loading.beside(found[0], None, False).ratio is None


def test_the_loader_takes_the_users_pictures(colour_set: Path) -> None:
    with loading.a_set(colour_set, 1024, 5, lambda line: None) as dataset:
        assert dataset.path == open_dataset(colour_set).path
    assert colour_set.exists()


def test_memory_grows_with_what_is_asked_for() -> None:
    config = replace(bench.configured(request()), network=replace(preset("tiny").network, fmap_base=512, fmap_max=64))
    machine = set_up(config.execution)
    config = replace(config, network=replace(config.network, resolution=64))
    small, large = (footprint.of_step(steps.Case("", config, 64, n), machine)[0] for n in (1, 16))
    assert small.peak and large.peak and small.base and not small.note
    # D alone keeps two 64x64 features of 16 maps for every image.
    assert large.peak - small.peak > 15 * 2 * 16 * 64**2 * 4


def test_memory_of_work_that_fails_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint.sys, "executable", "false")
    (row,) = footprint.of_pictures(preset("tiny").network, 1, "float32", set_up(bench.configured(request()).execution))
    assert row.peak is None and "1" in row.note


def test_a_run_is_the_sum_of_its_stages() -> None:
    work = bench.Bench(request(preset=None, run="tiny"))
    assert [piece.part for piece in work.pieces if piece.part != "limits"] == ["stages"] * 3
    rows = [row for piece in work.pieces if piece.part == "stages" for row in work.take(piece)]
    assert sum(row.images for row in rows) == 1200
    for row in rows:
        assert row.hours == pytest.approx(row.images / row.images_per_second / 3600)
    assert work.to_json()["hours"] == pytest.approx(sum(row.hours for row in rows))
    assert stages.total_hours([replace(rows[0], hours=None), *rows[1:]]) is None


def test_stages_without_pictures_are_none() -> None:
    config = replaced(preset("tiny"), "schedule.training_kimg", "0.2,4:0")
    first, *others = Schedule(config.schedule, config.optim, 16).stages
    assert first.start == first.end
    config = replaced(config, "network.resolution", "16")
    assert stages.stages_of(config) == tuple(others)


def test_a_network_with_classes_has_pictures_to_weigh() -> None:
    spec = replaced(preset("tiny"), "network.num_labels", "10").network
    (found,) = footprint.of_pictures(spec, 1, "float32", set_up(preset("tiny").execution))
    assert found.peak and not found.note


def test_a_long_step_is_timed_on_whole_groups() -> None:
    config = bench.configured(request(preset="v2-1gpu"))
    flops = step_flops(config.network, 32)
    assert stages._affordable(config, 32, 64, None) == 64
    assert stages._affordable(config, 32, 64, 1e18) == 64
    assert stages._affordable(config, 32, 64, flops * 10.5 / stages.MOST_STEP_SECONDS) == 8
    assert stages._affordable(config, 32, 64, 1.0) == 4


def test_consumption_is_known_at_every_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "SHORT_STEPS", 8)
    config = bench.configured(request())
    found = stages.consumption(config, set_up(config.execution))
    assert {size: estimated for size, (_, estimated) in found.items()} == {4: False, 8: False, 16: True}
    assert all(rate and rate > 0 for rate, _ in found.values())


def test_starts_are_whole_commands() -> None:
    found = startup.time_starts((), rounds=1)
    assert [row.command for row in found] == ["growgan --help"] and 0 < found[0].seconds < 60


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parts": ("steps", "coffee")}, "unknown part 'coffee'"),
        ({"preset": "huge"}, "unknown preset 'huge'"),
        ({"preset": "tiny", "run": "tiny"}, "--run already names a preset and"),
        ({"sizes": [(12, 4)]}, "power of two"),
        ({"sizes": [(8, 0)]}, "minibatch"),
        ({"sizes": [(64, 4)]}, "ends at 16"),
        ({"data": Path("nowhere")}, "nowhere: no such file"),
        ({"overrides": (("data.path", "x"),)}, "--data"),
        ({"overrides": (("execution.device", "abacus"),)}, "abacus"),
    ],
)
def test_refusals(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        bench.Bench(request(**fields))


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0, "0"), (1234.5, "1,234"), (12.34, "12.3"), (0.04321, "0.0432"), (0.000012, "0.000012")],
)
def test_numbers_are_for_people(value: float | None, text: str) -> None:
    assert number(value) == text
