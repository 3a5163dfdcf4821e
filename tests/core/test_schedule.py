"""The schedule against the release's arithmetic over whole runs, and what the release does not have."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.release_schedule import RELEASES, TICKS, Release

from growgan.core.config import OptimConfig, ScheduleConfig
from growgan.core.fields import per
from growgan.core.presets import preset
from growgan.core.schedule import Phase, Schedule


def make_schedule(resolution: int = 32, rampup_kimg: float = 0, **fields: Any) -> Schedule:
    return Schedule(ScheduleConfig(**fields), OptimConfig(rampup_kimg=rampup_kimg), resolution)


def of_preset(name: str, resolution: int) -> Schedule:
    run = preset(name)
    return Schedule(run.schedule, run.optim, resolution)


def agree(ours: Phase, release: Release, lod: float, size: int) -> bool:
    return (
        abs(ours.lod - lod) < 1e-9
        and abs(ours.alpha - (1 - (lod - math.floor(lod)))) < 1e-9
        and (ours.resolution, ours.minibatch) == (size, release.images(size))
        and ours.g_lr == ours.d_lr == release.rate(size)
        and ours.tick_images == 1000 * TICKS[size]
        and ours.fading == (lod > math.floor(lod))
    )


@pytest.mark.parametrize(
    ("name", "resolution"),
    [
        ("v1-1gpu", 128),
        ("v2-1gpu", 128),
        ("v2-8gpus", 128),
        ("v2-8gpus", 1024),
        ("paper", 32),
        ("v2-1gpu", 1024),
        pytest.param("v1-1gpu", 1024, marks=pytest.mark.slow),
    ],
)
def test_every_round_of_a_whole_run(name: str, resolution: int) -> None:
    release = RELEASES[{"paper": "v1-1gpu"}.get(name, name)]
    schedule = of_preset(name, resolution)
    before, ours_reset, reset, last = None, [], [], 0
    for nimg, lod, size, anew in release.rounds(resolution):
        phase = schedule.at(nimg)
        if not agree(phase, release, lod, size):
            pytest.fail(f"at {nimg}: {phase}, but lod {lod} and size {size}")
        if phase.resets_adam(before):
            ours_reset.append(nimg)
        if anew:
            reset.append(nimg)
        before, last = phase, nimg
    assert ours_reset == reset
    assert len(reset) == 2 * (math.log2(resolution) - 2), "once at each end of a fade"
    assert last < schedule.total == release.total_kimg * 1000 and last > schedule.total - 5 * 1000
    assert lod == 0 and phase.resolution == resolution


def test_lod_reaches_zero_where_the_recipe_says() -> None:
    for name, kimg in (("v1-1gpu", 12_800), ("v2-1gpu", 9_600)):
        schedule = of_preset(name, 1024)
        assert schedule.at(kimg * 1000).lod == 0
        assert schedule.at(kimg * 1000 - 1).lod > 0


@settings(max_examples=300, deadline=None)
@given(
    training=st.integers(0, 20),
    transition=st.integers(0, 20),
    initial=st.sampled_from([4, 8, 16]),
    resolution=st.sampled_from([16, 32, 256]),
    total=st.integers(1, 200),
    part=st.floats(0, 1, exclude_max=True),
)
def test_any_moment_of_any_run(
    training: int, transition: int, initial: int, resolution: int, total: int, part: float
) -> None:
    if training + transition == 0:
        training = 1
    release = Release(training, transition, total, 16, initial=initial)
    schedule = make_schedule(
        resolution,
        training_kimg=per(training),
        transition_kimg=per(transition),
        total_kimg=total,
        initial_resolution=initial,
        minibatch=per(16),
    )
    edges = [1000 * k for k in range(0, total, max(1, math.gcd(training, transition)))][:40]
    for nimg in [int(part * total * 1000), *edges, *(edge + 1 for edge in edges)]:
        lod = release.lod(nimg, resolution)
        assert schedule.at(nimg).lod == pytest.approx(lod, abs=1e-9), nimg
        assert schedule.at(nimg).resolution == release.size(lod, resolution), nimg
    lods = [schedule.at(nimg).lod for nimg in range(0, total * 1000, 997)]
    assert lods == sorted(lods, reverse=True)


def shape_of(schedule: Schedule) -> list[tuple[int, int, int, int]]:
    return [(stage.resolution, stage.start, stage.faded, stage.end) for stage in schedule.stages]


EACH = {
    "training_kimg": per(30, {4: 10, 8: 20}),
    "transition_kimg": per(6, {4: 99, 8: 5, 16: 0}),
    "total_kimg": 200,
}


def test_every_stage_can_have_lengths_of_its_own() -> None:
    schedule = make_schedule(32, **EACH)
    assert shape_of(schedule) == [
        (4, 0, 0, 10_000),
        (8, 10_000, 15_000, 35_000),
        (16, 35_000, 35_000, 65_000),
        (32, 65_000, 71_000, 200_000),
    ]
    moments = {
        0: (4, 1.0),
        10_000: (4, 1.0),
        10_001: (8, 1 / 5000),
        12_500: (8, 0.5),
        15_000: (8, 1.0),
        34_999: (8, 1.0),
        35_000: (16, 1.0),
        65_000: (16, 1.0),
        68_000: (32, 0.5),
        71_000: (32, 1.0),
        199_999: (32, 1.0),
    }
    for nimg, (resolution, alpha) in moments.items():
        phase = schedule.at(nimg)
        assert (phase.resolution, phase.alpha) == (resolution, pytest.approx(alpha)), nimg
        assert schedule.stage_at(nimg).resolution == resolution


def resets_of(schedule: Schedule, step: int) -> list[int]:
    phases = [(nimg, schedule.at(nimg)) for nimg in range(0, schedule.total, step)]
    return [nimg for (nimg, phase), (_, before) in zip(phases[1:], phases) if phase.resets_adam(before)]


def test_adam_starts_anew_at_both_ends_of_a_fade_and_once_without() -> None:
    assert resets_of(make_schedule(32, **EACH), 500) == [10_500, 15_000, 35_000, 65_500, 71_000]
    assert not make_schedule().at(0).resets_adam(None)


def test_no_growing() -> None:
    schedule = make_schedule(64, growing=False, total_kimg=100)
    assert shape_of(schedule) == [(64, 0, 0, 100_000)]
    assert {(p.resolution, p.alpha, p.lod) for p in map(schedule.at, range(0, 100_000, 777))} == {(64, 1.0, 0.0)}
    assert resets_of(schedule, 777) == []


def test_no_fade() -> None:
    schedule = make_schedule(16, training_kimg=per(10), transition_kimg=per(0), total_kimg=100)
    assert shape_of(schedule) == [(4, 0, 0, 10_000), (8, 10_000, 10_000, 20_000), (16, 20_000, 20_000, 100_000)]
    found = [(p.resolution, p.alpha) for p in map(schedule.at, (0, 9_999, 10_000, 19_999, 20_000, 99_999))]
    assert found == [(4, 1), (4, 1), (8, 1), (8, 1), (16, 1), (16, 1)]


@pytest.mark.parametrize("initial", [8, 16, 64])
def test_initial_resolution(initial: int) -> None:
    schedule = make_schedule(
        32, initial_resolution=initial, training_kimg=per(10), transition_kimg=per(10), total_kimg=200
    )
    first = min(initial, 32)
    assert schedule.stages[0].resolution == first and schedule.stages[-1].resolution == 32
    assert (schedule.at(0).resolution, schedule.at(0).alpha) == (first, 1)
    assert schedule.at(5_000).alpha == 1, "there is nothing to fade the first stage in from"
    if first < 32:
        assert schedule.at(15_000).resolution == 2 * first
        assert schedule.at(15_000).alpha == 0.5


@pytest.mark.parametrize(
    ("total", "stages"),
    [
        (5, [(4, 0, 0, 5_000)]),
        (10, [(4, 0, 0, 10_000)]),
        (13, [(4, 0, 0, 10_000), (8, 10_000, 15_000, 13_000)]),
        (36, [(4, 0, 0, 10_000), (8, 10_000, 15_000, 35_000), (16, 35_000, 35_000, 36_000)]),
    ],
)
def test_a_run_may_end_before_its_stages(total: float, stages: list[tuple[int, int, int, int]]) -> None:
    schedule = make_schedule(32, **{**EACH, "total_kimg": total})
    assert shape_of(schedule) == stages
    assert schedule.at(schedule.total - 1).resolution == stages[-1][0]


def test_ramp_up() -> None:
    schedule = make_schedule(rampup_kimg=40)
    for kimg in (0, 10, 39.999):
        expected = 0.001 * math.exp(-5 * (1 - kimg / 40) ** 2)
        assert schedule.at(round(kimg * 1000)).g_lr == pytest.approx(expected, rel=1e-12)
        assert schedule.at(round(kimg * 1000)).d_lr == pytest.approx(expected, rel=1e-12)
    assert schedule.at(40_000).g_lr == schedule.at(10_000_000).g_lr == 0.001


def test_rates_of_g_and_d_are_two() -> None:
    optim = OptimConfig(g_lr=per(0.1, {8: 0.2}), d_lr=per(0.3, {4: 0.4}))
    config = ScheduleConfig(training_kimg=per(10), transition_kimg=per(10), total_kimg=100)
    schedule = Schedule(config, optim, 8)
    assert (schedule.at(0).g_lr, schedule.at(0).d_lr) == (0.1, 0.4)
    assert (schedule.at(10_001).g_lr, schedule.at(10_001).d_lr) == (0.2, 0.3), "those of the larger size"


def test_a_tick_is_never_empty() -> None:
    assert make_schedule(tick_kimg=per(0.0001)).at(0).tick_images == 1
    assert make_schedule(tick_kimg=per(0.25)).at(0).tick_images == 250


def test_at_knows_nothing_of_before() -> None:
    schedule = of_preset("tiny", 16)
    forth = [schedule.at(nimg) for nimg in range(0, 1200, 8)]
    assert forth == [schedule.at(nimg) for nimg in reversed(range(0, 1200, 8))][::-1]
    assert replace(forth[0], lod=1.0) != forth[0]


def r3gan(nimg: float, start: float, end: float, total: float) -> float:
    """A value's way as R3GAN's training has it (Huang et al. 2024), without its warm-up and hold."""
    decay = 0.5 * (1 + math.cos(math.pi * nimg / total))
    return start + (1 - decay) * (end - start)


@pytest.mark.parametrize("anneal", ["run", "stage"])
def test_values_with_an_end_go_there_over_the_run_or_over_each_stage(anneal: str) -> None:
    optim = OptimConfig(g_lr=per(0.002), d_lr=per(0.001), lr_end=0.25, beta2=0.9, beta2_end=0.99)
    lengths = {"training_kimg": per(10), "transition_kimg": per(10), "total_kimg": 60}
    schedule = Schedule(ScheduleConfig(**lengths, anneal=anneal), optim, 16)
    spans = [(0, 60_000)] * 3 if anneal == "run" else [(0, 10_000), (10_000, 30_000), (30_000, 60_000)]
    for stage, (start, end) in zip(schedule.stages, spans):
        for nimg in range(stage.start + 1, stage.end, 997):
            phase = schedule.at(nimg)
            assert phase.resolution == stage.resolution
            assert phase.g_lr == 2 * phase.d_lr == pytest.approx(r3gan(nimg - start, 0.002, 0.0005, end - start))
            assert phase.beta2 == pytest.approx(r3gan(nimg - start, 0.9, 0.99, end - start))
            assert phase.progress == pytest.approx(r3gan(nimg - start, 0, 1, end - start))
    beyond = schedule.at(61_000)
    assert (beyond.g_lr, beyond.beta2, beyond.progress) == pytest.approx((0.0005, 0.99, 1))


def test_values_without_an_end_stay() -> None:
    schedule = make_schedule(16, total_kimg=100)
    assert {(p.g_lr, p.d_lr, p.beta2) for p in map(schedule.at, range(0, 100_000, 5000))} == {(0.001, 0.001, 0.99)}
