"""Whole jobs on real files: what a run folder holds, that it learns, and that it goes on where it was left."""

from __future__ import annotations

import io
import json
import shutil
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from training.making import begin, half_and_half, small

from growgan.core.config import ExecutionConfig
from growgan.core.errors import ConfigError, OutOfMemory, RunError
from growgan.core.fields import replaced
from growgan.core.presets import preset
from growgan.core.schedule import Schedule
from growgan.data.dataset import open_dataset
from growgan.devices import Machine
from growgan.metrics.swd import Descriptors, swd
from growgan.models.native import open_model
from growgan.networks.cost import step_flops
from growgan.networks.generator import Generator
from growgan.networks.layers import initialize
from growgan.sampling import images, latents
from growgan.training import checkpoint, fit_to_machine, job, memory, plots
from growgan.training.forecast import Forecast
from growgan.training.ranks import ALONE, Ranks
from growgan.training.report import Report
from growgan.training.request import Request
from growgan.training.run import RunFolder, resumed
from growgan.training.state import TrainState
from growgan.training.stop import Stop
from growgan.training.trial_steps import seconds_per_image


def make_set(folder: Path, size: int = 16, count: int = 128) -> Path:
    folder.mkdir(parents=True)
    for i, picture in enumerate(half_and_half(count, size)):
        Image.fromarray(picture.transpose(1, 2, 0)).save(folder / f"img{i:08d}.png")
    return folder


def request(data: Path | None, out: Path, *overrides: tuple[str, str], preset: str | None = "tiny") -> Request:
    return Request(data=data, out=out, preset=preset, overrides=overrides, say=lambda line: None)


def run(data: Path | None, out: Path, *overrides: tuple[str, str], **more) -> job.Outcome:
    prepared = job.prepare(request(data, out, *overrides, **more))
    with prepared.dataset:
        return job.train(prepared)


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> Path:
    """A run of some thousand images on pictures that are bright above and dark below."""
    root = tmp_path_factory.mktemp("learned")
    out = root / "run"
    scale = [("schedule.training_kimg", "0.6"), ("schedule.transition_kimg", "0.4"), ("schedule.total_kimg", "3.6")]
    ticks = [("schedule.tick_kimg", "0.6"), ("optim.g_lr", "0.003"), ("optim.d_lr", "0.003")]
    assert run(make_set(root / "data"), out, *scale, *ticks).ended
    return out


def distance(pixels: np.ndarray, reals: np.ndarray) -> float:
    sets = []
    for seed, some in enumerate((reals, pixels)):
        descriptors = Descriptors(seed)
        descriptors.add(some)
        sets.append(descriptors)
    return swd(*sets).average


def fakes(G: Generator, count: int) -> np.ndarray:
    z, _ = latents.draw(range(count), G.spec, {})
    with torch.no_grad():
        return images.to_uint8(G(z))


@pytest.mark.slow
def test_it_learns(learned):
    """The distance to the data falls to less than a third of the untrained one; untrained again, it does not."""
    reals = half_and_half(128, 16)
    model = open_model(learned / "models" / "best.safetensors")
    untrained = Generator(model.spec)
    initialize(untrained, 1, "G")
    start = distance(fakes(untrained, 128), reals)
    assert distance(fakes(model.generator(), 128), reals) < start / 3
    initialize(untrained, 2, "G")
    assert not distance(fakes(untrained, 128), reals) < start / 3


@pytest.mark.slow
def test_what_a_run_folder_holds(learned):
    names = {path.name for path in learned.iterdir()}
    assert {"config.json", "log.jsonl", "reals.png", "models", "state", "tensorboard", "lock"} <= names
    log = [json.loads(line) for line in (learned / "log.jsonl").read_text().splitlines()]
    clock = [entry["nimg"] for entry in log]
    assert clock == sorted(set(clock))
    assert {"kimg", "resolution", "alpha", "D/loss", "G/loss", "D/penalty", "seconds"} <= set(log[-1])
    grids = sorted(path.name for path in learned.glob("fakes*.png"))
    assert grids[0] == "fakes000000000.png"
    assert len(grids) == len(log) + 1
    models = {path.name for path in (learned / "models").iterdir()}
    assert {"best.safetensors", *(f"stage-{s:04d}x{s:04d}.safetensors" for s in (4, 8, 16))} <= models
    assert len([name for name in models if name.startswith("snapshot")]) == 3  # keep
    stage = open_model(learned / "models" / "stage-0008x0008.safetensors")
    assert (stage.training["resolution"], stage.training["alpha"]) == (8, 1.0)


@pytest.mark.slow
def test_best_is_the_smallest_measure_of_the_newest_resolution(learned):
    log = [json.loads(line) for line in (learned / "log.jsonl").read_text().splitlines()]
    measured = {
        e["nimg"]: next(iter(e["measures"].values()))["value"]
        for e in log
        if e.get("measures") and e["resolution"] == 16
    }
    best = open_model(learned / "models" / "best.safetensors")
    assert len(measured) > 1
    assert best.training["nimg"] == min(measured, key=measured.get)
    assert next(iter(best.measures.values()))["value"] == min(measured.values())


@pytest.mark.slow
def test_strip_and_losses_are_drawn(learned, tmp_path):
    folder = job.RunFolder(learned)
    with Image.open(plots.draw_growth(folder, tmp_path / "growth.png", pictures=5)) as strip:
        assert strip.size == (5 * 64, 3 * 64)
    with Image.open(plots.draw_losses(folder, tmp_path / "losses.png")) as plot:
        assert np.asarray(plot).std() > 0


def test_a_job_taken_up_again_equals_the_one_never_stopped(tmp_path, monkeypatch):
    data = make_set(tmp_path / "data", size=8)
    short = [("schedule.total_kimg", "0.4")]
    assert run(data, tmp_path / "whole", *short).ended

    kept = job.loop.train

    def interrupted(state, schedule, feed, callbacks, stop):
        told = callbacks.after_step

        def after_step(*args):
            told(*args)
            if state.nimg == 216:
                stop.asked = 15

        callbacks.after_step = after_step
        return kept(state, schedule, feed, callbacks, stop)

    monkeypatch.setattr(job.loop, "train", interrupted)
    first = run(data, tmp_path / "parts", *short)
    assert (first.nimg, first.ended, first.signal) == (216, False, 15)
    monkeypatch.setattr(job.loop, "train", kept)
    assert run(None, tmp_path / "parts", preset=None).ended
    for name in ("models/snapshot-000000000416.safetensors", "models/stage-0004x0004.safetensors"):
        whole, parts = (open_model(tmp_path / which / name) for which in ("whole", "parts"))
        for network in ("G_ema", "G", "D"):
            for key, value in whole.network(network).state_dict().items():
                assert torch.equal(parts.network(network).state_dict()[key], value), (name, network, key)
    logs = []
    for which in ("whole", "parts"):
        entries = [json.loads(line) for line in (tmp_path / which / "log.jsonl").read_text().splitlines()]
        for entry in entries:
            del entry["seconds"], entry["images_per_second"]
        logs.append(entries)
    assert logs[0] == logs[1]


def test_a_finished_run_can_be_made_longer(tmp_path):
    data = make_set(tmp_path / "data", size=4)
    assert run(data, tmp_path / "run", ("schedule.total_kimg", "0.2")).nimg == 224
    assert run(data, tmp_path / "run", ("schedule.total_kimg", "0.3")).nimg == 320
    kept = RunFolder(tmp_path / "run").read_config()
    assert kept.schedule.total_kimg == 0.3
    assert kept == resumed(kept, [("schedule.total_kimg", "0.3")], None)


def test_a_length_that_cannot_be_kept_ends_no_run(tmp_path, monkeypatch):
    data, said = make_set(tmp_path / "data", size=4), []
    run(data, tmp_path / "run", ("schedule.total_kimg", "0.1"))

    def full(self, config):
        raise RunError("No space left on device")

    monkeypatch.setattr(RunFolder, "write_config", full)
    longer = job.prepare(replace(request(data, tmp_path / "run", ("schedule.total_kimg", "0.2")), say=said.append))
    with longer.dataset:
        assert job.train(longer).nimg == 224
    assert any("the run's new length or data path could not be saved: No space left" in line for line in said)


def test_a_set_s_new_place_is_kept_and_few_pictures_are_warned_of(tmp_path, monkeypatch):
    data, said = make_set(tmp_path / "data", size=4), []
    first = job.prepare(replace(request(data, tmp_path / "run", ("schedule.total_kimg", "0.1")), say=said.append))
    with first.dataset:
        job.train(first)
    few = "warning: 128 pictures are too few to train from scratch"
    assert f"{few}: use --from MODEL to start from a trained one, such as faces-128" in said
    data.rename(tmp_path / "moved")
    run(tmp_path / "moved", tmp_path / "run", ("schedule.total_kimg", "0.2"))
    monkeypatch.chdir(tmp_path)
    run(None, tmp_path / "run", ("data.path", "moved"), ("schedule.total_kimg", "0.3"), preset=None)
    monkeypatch.chdir(tmp_path / "moved")
    assert run(None, tmp_path / "run", ("schedule.total_kimg", "0.4"), preset=None).nimg == 416


def test_a_stopped_run_keeps_the_length_it_was_given_last(tmp_path):
    data = make_set(tmp_path / "data", size=4)
    run(data, tmp_path / "run", ("schedule.total_kimg", "0.1"))
    stop = Stop()
    stop.ask()
    longer = job.prepare(request(data, tmp_path / "run", ("schedule.total_kimg", "0.3")))
    with longer.dataset:
        assert not job.train(longer, stop).ended
    assert run(None, tmp_path / "run", preset=None).nimg == 320


@pytest.mark.parametrize("change", ["lost", "more", "rebuilt", "renamed", "labels", "old run"])
def test_a_changed_set_is_noticed_and_the_change_named(tmp_path, change):
    pictures = half_and_half(16, 4).transpose(0, 2, 3, 1)

    def build_set(pictures, prefix="img", classes=2):
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        (tmp_path / "data").mkdir()
        names = [f"{prefix}{i:08d}.png" for i in range(len(pictures))]
        for name, picture in zip(names, pictures):
            Image.fromarray(picture).save(tmp_path / "data" / name)
        labels = [[name, i % classes] for i, name in enumerate(names)]
        (tmp_path / "data" / "dataset.json").write_text(json.dumps({"labels": labels}))
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
            for path in sorted((tmp_path / "data").iterdir()):
                file.writestr(path.name, path.read_bytes())
        return tmp_path / "set.zip"

    run(build_set(pictures), tmp_path / "run", ("schedule.total_kimg", "0.05"))
    run(build_set(pictures), tmp_path / "run", ("schedule.total_kimg", "0.06"))  # the same once more is the same
    match change:
        case "lost":
            build_set(pictures[:-1])
            what = "it had 16 pictures and now has 15"
        case "more":
            build_set(np.concatenate([pictures, pictures]))
            what = "it had 16 pictures and now has 32"
        case "rebuilt":
            build_set(255 - pictures)
            what = "sizes or checksums .* differ"
        case "renamed":
            build_set(pictures, "photo")
            what = ": names differ"
        case "labels":
            build_set(pictures, classes=4)
            what = ": labels differ"
        case "old run":
            (tmp_path / "run" / "data.json").unlink()
            build_set(pictures[:-1])
            what = "names, sizes, times or labels differ"
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.*") if path.is_file()}
    with pytest.raises(
        RunError, match=f"is not the dataset this run was started with: .*{what.removeprefix(': ')}; pass"
    ):
        run(None, tmp_path / "run", ("schedule.total_kimg", "0.2"), preset=None)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.*") if path.is_file()} == before


def test_hours_scale_the_whole_schedule(tmp_path, monkeypatch):
    monkeypatch.setattr(fit_to_machine, "seconds_per_image", lambda *args: {4: 0.01, 8: 0.02})
    prepared = job.prepare(request(make_set(tmp_path / "data", size=8), tmp_path / "run"))
    with prepared.dataset:
        made = prepared.config, prepared.schedule, prepared.machine, ALONE, prepared.say
        scaled = fit_to_machine.scaled_to_hours(*made, lambda state, phase: None, 1.0, Stop())
        with pytest.raises(ConfigError, match=r"hours are .* times what this schedule takes here"):
            fit_to_machine.scaled_to_hours(*made, lambda state, phase: None, 1e5, Stop())
    assert scaled.network == prepared.config.network
    schedule = Schedule(scaled.schedule, scaled.optim, 8)
    seconds = sum((stage.end - stage.start) * {4: 0.01, 8: 0.02}[stage.resolution] for stage in schedule.stages)
    assert seconds == pytest.approx(3600, rel=0.001)
    before, factor = prepared.schedule.stages, scaled.schedule.scale
    for one, other in zip(before, schedule.stages, strict=True):
        for name in ("start", "faded", "end"):
            assert getattr(other, name) == pytest.approx(factor * getattr(one, name), abs=1)


def test_a_stop_ends_the_measuring_of_the_machine(tmp_path):
    said, stop = [], Stop()

    def hear(line: str) -> None:
        said.append(line)
        if "at 8x8" in line:
            stop.ask()

    asked = request(make_set(tmp_path / "data"), tmp_path / "run", ("execution.threads", "1"))
    prepared = job.prepare(replace(asked, hours=1.0, say=hear))
    with prepared.dataset:
        outcome = job.train(prepared, stop)
    assert (outcome.nimg, outcome.ended) == (0, False)
    assert [line for line in said if "measuring" in line] == [f"measuring this machine at {n}x{n} ..." for n in (4, 8)]
    assert not RunFolder(tmp_path / "run").exists()
    run(tmp_path / "data", tmp_path / "run", ("schedule.total_kimg", "0.05"))  # the same folder is free to begin in


def test_measuring_the_machine_by_steps_that_explode_is_refused(tmp_path):
    rates = [("optim.g_lr", "1e18"), ("optim.d_lr", "1e18"), ("execution.threads", "1"), ("execution.device", "cpu")]
    asked = request(make_set(tmp_path / "data"), tmp_path / "run", *rates)
    prepared = job.prepare(replace(asked, hours=1.0))
    with prepared.dataset, pytest.raises(RunError, match=r"in trial steps at 4x4, the loss of \w is not finite"):
        job.train(prepared)


@pytest.mark.parametrize(("minibatch", "warned"), [("7", True), ("6", False), ("8,16:5", True), ("1", False)])
def test_a_minibatch_without_groups_is_warned_of(tmp_path, minibatch, warned):
    said = []
    asked = request(make_set(tmp_path / "data"), tmp_path / "run", ("schedule.minibatch", minibatch))
    job.prepare(replace(asked, say=said.append)).dataset.close()
    assert any("no groups for minibatch stddev" in line for line in said) == warned


@pytest.mark.parametrize(("policy", "warned"), [((), True), ((("augment.policy", "none"),), False)])
def test_augmentation_that_was_set_up_but_not_turned_on_is_warned_of(tmp_path, policy, warned):
    said = []
    asked = request(make_set(tmp_path / "data"), tmp_path / "run", ("augment.strength", "adaptive"), *policy)
    job.prepare(replace(asked, say=said.append)).dataset.close()
    told = "warning: augment.strength has no effect while augment.policy is none: --set augment.policy="
    assert any(line.startswith(told) for line in said) == warned


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_run_that_goes_on_does_not_hold_on_to_its_state(tmp_path):
    """Windows could not remove the file, and elsewhere its blocks would stay taken."""
    augmented = [("loss.name", "logistic"), ("augment.policy", "colour"), ("augment.strength", "adaptive")]
    folder = tmp_path / "run"
    run(make_set(tmp_path / "data", size=8, count=16), folder, *augmented, ("schedule.total_kimg", "0.04"))
    config = RunFolder(folder).read_config()
    state = TrainState(config, Machine(torch.device("cpu")))
    assert checkpoint.restore_newest(RunFolder(folder), state, print) and state.augment.state
    assert str(folder) not in Path("/proc/self/maps").read_text()


def test_threads_are_shared_between_the_processes_of_a_machine(tmp_path, monkeypatch, most_threads):
    """A run that one process has begun on all threads, and several take up."""
    config = replace(preset("tiny"), execution=ExecutionConfig(device="cpu", threads=4))
    dataset = SimpleNamespace(content_hash=config.data.content_hash)
    monkeypatch.setattr(job, "count_cores", lambda: 4)
    asked = request(None, tmp_path)
    job._joined(config, dataset, asked, Ranks(1, 2, 1, 2))
    assert torch.get_num_threads() == 2
    job._joined(config, dataset, asked, Ranks(1, 2, 0, 1))  # each on a machine of its own
    assert torch.get_num_threads() == 4
    job._joined(config, dataset, replace(asked, overrides=[("execution.threads", "4")]), Ranks(1, 2, 1, 2))
    assert torch.get_num_threads() == 4


@pytest.fixture
def most_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_each_stage_is_timed():
    config = replace(preset("tiny"), network=replace(preset("tiny").network, resolution=8))
    schedule = Schedule(config.schedule, config.optim, 8)
    prepared = []
    rates = seconds_per_image(
        config, schedule, Machine(torch.device("cpu")), prepare=lambda state, phase: prepared.append(phase.resolution)
    )
    assert rates.keys() == {4, 8} and prepared == [4, 8]
    assert all(0 < rate < 1 for rate in rates.values())


def test_a_stage_that_does_not_fit_is_refused_with_a_remedy_before_the_first_step(monkeypatch):
    config = preset("laptop")
    config = replace(config, network=replace(config.network, resolution=64))
    schedule = Schedule(config.schedule, config.optim, 64)
    cpu = Machine(torch.device("cpu"))
    needed = memory.needed_memory(config, schedule.trained(schedule.stages[-1], 0.5), cpu)
    assert 300e6 < needed < 700e6  # a step was seen to take 340 MB, 620 with its plan measured
    config = replace(config, snapshots=replace(config.snapshots, measure="none"))
    monkeypatch.setattr(memory, "free_memory", lambda device: needed * 1.01)
    memory.check_memory(config, schedule, cpu)
    monkeypatch.setattr(memory, "free_memory", lambda device: needed * 0.6)
    with pytest.raises(OutOfMemory, match=r"stage 64x64 needs about .* execution.microbatch=[48]"):
        memory.check_memory(config, schedule, cpu)
    two, apart = Ranks(0, 2, 0, 2), Ranks(0, 2, 0, 1)
    share = memory.needed_memory(config, schedule.trained(schedule.stages[-1], 0.5), cpu, 2)
    assert 0.5 * needed < share < 0.9 * needed
    monkeypatch.setattr(memory, "free_memory", lambda device: share * 1.01)
    memory.check_memory(config, schedule, cpu, apart)  # each on a machine of its own
    with pytest.raises(OutOfMemory, match="a minibatch of 16 in 2 processes"):
        memory.check_memory(config, schedule, cpu, two)
    monkeypatch.setattr(memory, "free_memory", lambda device: share * 2.02)
    memory.check_memory(config, schedule, cpu, two)
    monkeypatch.setattr(memory, "free_memory", lambda device: 1e6)
    with pytest.raises(OutOfMemory, match="lower --resolution"):
        memory.check_memory(config, schedule, cpu)
    monkeypatch.setattr(memory, "free_memory", lambda device: needed * 1.01)
    with pytest.raises(OutOfMemory, match="measuring 2,048 images needs about"):
        memory.check_memory(replace(config, snapshots=replace(config.snapshots, measure="swd")), schedule, cpu)


def test_threads_are_settled_by_what_is_faster_and_kept(tmp_path, monkeypatch):
    said: list[str] = []
    prepared = job.prepare(replace(request(make_set(tmp_path / "data", size=8), tmp_path / "run"), say=said.append))
    before = torch.get_num_threads()

    def with_fastest_threads(config):
        return fit_to_machine.with_fastest_threads(config, prepared.schedule, prepared.machine, ALONE, prepared.say)

    try:
        torch.set_num_threads(4)
        for fastest, lines in ((1, 1), (4, 0)):
            said.clear()
            monkeypatch.setenv("GROWGAN_CACHE", str(tmp_path / f"cache{fastest}"))
            monkeypatch.setattr(
                "growgan.training.trial_steps._step_seconds",
                lambda *args, fastest=fastest: 1.0 + abs(torch.get_num_threads() - fastest),
            )
            torch.set_num_threads(4)
            config = with_fastest_threads(prepared.config)
            assert config.execution.threads == torch.get_num_threads() == fastest
            assert len(said) == lines
        monkeypatch.setattr(fit_to_machine, "settled_threads", pytest.fail)
        assert with_fastest_threads(config) == config
    finally:
        torch.set_num_threads(before)
        prepared.dataset.close()


def test_forecast_learns_from_what_it_sees():
    config = preset("tiny")
    schedule = Schedule(config.schedule, config.optim, 16)
    forecast = Forecast(schedule, config.network)
    assert forecast.run_left(0) is None
    forecast.observe(4, 100, 1.0)
    assert forecast.stage_left(100) == pytest.approx((schedule.stages[0].end - 100) * 0.01)
    assert forecast.seconds_per_image(16) > 0.01
    forecast.observe(16, 100, 5.0)
    assert forecast.seconds_per_image(16) == 0.05
    assert forecast.run_left(schedule.total - 20) == pytest.approx(1.0)


def test_forecast_counts_what_goes_on_beside_the_steps(tmp_path, monkeypatch):
    """Measures, grids and states, which no step's time has in it."""
    state, schedule, _ = begin(small(), half_and_half())
    forecast = Forecast(schedule, state.spec)
    forecast.observe(4, 100, 1.0)
    alone = forecast.stage_left(0)
    forecast.observe_between(50, 2.0)
    assert forecast.stage_left(0) - alone == pytest.approx(schedule.stages[0].end * 0.04)
    report = Report(RunFolder(tmp_path), schedule, None, forecast, 0, None, stream=io.StringIO())
    now, told = [100.0], []
    monkeypatch.setattr("growgan.training.report.time.monotonic", lambda: now[0])
    monkeypatch.setattr(forecast, "observe_between", lambda images, seconds: told.append((images, seconds)))
    report._observe_between(state)
    now[0], state.nimg, state.seconds = 110.0, 64, 7.0
    report._observe_between(state)
    assert told == [(64, 3.0)]


def test_time_spent_before_a_growth_is_booked_on_the_smaller_pictures(tmp_path):
    state, schedule, _ = begin(small(), half_and_half())
    forecast = Forecast(schedule, state.spec)
    report = Report(RunFolder(tmp_path), schedule, None, forecast, 0, None, stream=io.StringIO())
    report.board = None
    before, after = schedule.at(0), schedule.at(schedule.stages[-1].end - 1)
    assert before.resolution < after.resolution
    for phase, seconds in ((before, 1.0), (before, 1.0), (after, 9.0)):
        report.after_step(state, phase, {}, seconds)
    report._line(state, after, {"D/loss": 0.0, "G/loss": 0.0})
    assert forecast.seconds_per_image(before.resolution) == 1.0 / before.minibatch
    assert forecast.seconds_per_image(after.resolution) == 9.0 / after.minibatch


@pytest.mark.parametrize(("seconds", "share"), [(0.03, (0.2, 0.3)), (3.0, (0.98, 1.0))])
def test_forecast_of_larger_images_keeps_what_launching_costs_apart(seconds, share):
    config = preset("fast")
    schedule = Schedule(config.schedule, config.optim, 64)
    forecast = Forecast(schedule, config.network)
    forecast.observe(8, 16, seconds)  # one step
    by_operations = step_flops(config.network, 64) / step_flops(config.network, 8) * seconds / 16
    least, most = share
    assert least < forecast.seconds_per_image(64) / by_operations < most


def test_forecast_tells_launching_from_computing_by_two_sizes():
    config = preset("fast")
    schedule = Schedule(config.schedule, config.optim, 64)
    forecast = Forecast(schedule, config.network)

    def seconds(size):  # of a step
        images = schedule.config.minibatch(size)
        return 0.004 + 2e-12 * step_flops(config.network, size) * images

    for size in (8, 16):
        forecast.observe(size, schedule.config.minibatch(size), seconds(size))
    for size in (32, 64):
        assert forecast.seconds_per_image(size) * schedule.config.minibatch(size) == pytest.approx(seconds(size))


def test_labels_of_a_set_reach_the_model(tmp_path):
    data = make_set(tmp_path / "data", size=4, count=16)
    names = sorted(path.name for path in data.iterdir())
    sidecar = {"labels": [[name, i % 2] for i, name in enumerate(names)], "class_names": ["even", "odd"]}
    (data / "dataset.json").write_text(json.dumps(sidecar))
    run(data, tmp_path / "run", ("schedule.total_kimg", "0.05"))
    model = open_model(next((tmp_path / "run" / "models").glob("snapshot*")))
    assert model.spec.num_labels == 2
    assert model.training["labels"] == {"counts": [8, 8]}
    assert model.training["class_names"] == ["even", "odd"]
    run(data, tmp_path / "plain", ("schedule.total_kimg", "0.05"), ("data.labels", "false"))
    assert open_model(next((tmp_path / "plain" / "models").glob("snapshot*"))).spec.num_labels == 0


def test_prepared_sets_are_read_at_lower_resolutions(tmp_path):
    data = make_set(tmp_path / "data", size=16)
    run(data, tmp_path / "run", ("network.resolution", "8"), ("schedule.total_kimg", "0.05"))
    config = job.RunFolder(tmp_path / "run").read_config()
    assert config.network.resolution == 8
    with open_dataset(data) as dataset:
        assert dataset.resolution == 16


def test_a_disk_that_is_full_for_a_while_costs_the_run_nothing(tmp_path, monkeypatch, capsys):
    """States, models, grids, log and board fail in the middle of a run; it ends with what it would have ended with."""
    data = make_set(tmp_path / "data", size=4)
    words = [("schedule.total_kimg", "0.6"), ("schedule.tick_kimg", "0.1")]
    assert run(data, tmp_path / "whole", *words).ended
    kept = job.loop.train

    def failing(state, schedule, feed, callbacks, stop):
        attempts = []

        def attempt(write):
            attempts.append(write)
            if 5 < len(attempts) < 14:
                write = refuse
            return told(write)

        def refuse():
            raise OSError(28, "No space left on device")

        told = callbacks._attempt
        callbacks._attempt = attempt
        return kept(state, schedule, feed, callbacks, stop)

    monkeypatch.setattr(job.loop, "train", failing)
    capsys.readouterr()
    said = []
    prepared = job.prepare(replace(request(data, tmp_path / "full", *words), say=said.append))
    with prepared.dataset:
        assert job.train(prepared).ended
    assert sum("No space left on device; training continues" in line for line in said) == 8
    ticks = len(RunFolder(tmp_path / "full").read_log())
    assert sum(line.startswith("tick ") for line in said) == ticks > 3 and capsys.readouterr().err == ""
    newest = [max((tmp_path / name / "models").glob("snapshot*")) for name in ("whole", "full")]
    for key, value in open_model(newest[0]).network("G").state_dict().items():
        assert torch.equal(open_model(newest[1]).network("G").state_dict()[key], value)


def test_a_board_that_fails_once_is_not_asked_again(tmp_path, monkeypatch):
    board = pytest.importorskip("torch.utils.tensorboard")
    asked = []

    def fail(self, *args, **kwargs):
        asked.append(args)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(board.SummaryWriter, "add_scalar", fail)
    words = [("schedule.total_kimg", "0.3"), ("schedule.tick_kimg", "0.1")]
    assert run(make_set(tmp_path / "data", size=4), tmp_path / "run", *words).ended
    assert len(asked) == 1


def test_a_run_that_lost_its_states_is_not_begun_anew_over_its_own_files(tmp_path):
    data = make_set(tmp_path / "data", size=4)
    run(data, tmp_path / "run", ("schedule.total_kimg", "0.2"))
    before = {path: path.read_bytes() for path in (tmp_path / "run" / "models").iterdir()}
    for path in (tmp_path / "run" / "state").iterdir():
        path.unlink()
    with pytest.raises(RunError, match="holds no state to resume from"):
        run(data, tmp_path / "run", ("schedule.total_kimg", "0.3"))
    assert {path: path.read_bytes() for path in (tmp_path / "run" / "models").iterdir()} == before


def test_a_scale_that_was_named_by_hand_is_named_again():
    config = replaced(preset("tiny"), "schedule.scale", "0.5")
    words = [("schedule.total_kimg", "1.2"), ("schedule.scale", "0.5")]
    assert resumed(config, words, None) == resumed(config, words[::-1], None) == config
    assert resumed(config, words[:1], None).schedule.total_kimg == 2.4
