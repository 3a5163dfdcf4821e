"""Pictures kept on the device: the same batches bit for bit, and the loader where they cannot be kept."""

from __future__ import annotations

import itertools
import json
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from training.making import small

from growgan.core.config import RunConfig
from growgan.core.errors import OutOfMemory
from growgan.core.fields import from_json, per, to_json
from growgan.core.schedule import Schedule
from growgan.data import dataset as dataset_module
from growgan.data.dataset import ImageSet, open_dataset
from growgan.data.sampler import Loader, Sampler
from growgan.devices import Machine
from growgan.models.native import open_model
from growgan.training import job, memory, resident
from growgan.training.feed import Feed
from growgan.training.ranks import Ranks
from growgan.training.request import Request
from growgan.training.resident import Resident
from growgan.training.state import TrainState
from growgan.training.stop import Stop

CPU = Machine(torch.device("cpu"))


def write_set(folder: Path, count: int = 10, size: int = 16, channels: int = 3, labels: Any = None) -> Path:
    pixels = np.random.RandomState(1).randint(0, 256, (count, size, size, channels)).astype(np.uint8)
    (folder / "00000").mkdir(parents=True)
    names = [f"00000/img{i:08d}.png" for i in range(count)]
    for name, picture in zip(names, pixels):
        Image.fromarray(picture.squeeze()).save(folder / name)
    rows = None if labels is None else [[name, label] for name, label in zip(names, labels)]
    (folder / "dataset.json").write_text(json.dumps({"labels": rows}))
    return folder


def fitted(dataset: ImageSet, how: str, **more: Any) -> RunConfig:
    config = small(dataset.resolution, minibatch=per(6))
    network = replace(
        config.network,
        channels=dataset.channels,
        num_labels=dataset.num_labels,
        multi_label=dataset.multi_label,
        stddev_group=2,
    )
    return replace(config, network=network, execution=replace(config.execution, resident=how, **more))


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[Resident, TrainState, Schedule, list[str]]]]:
    """Makes what serves a set's pictures on the processor, with a state, a schedule, and what is said."""
    loaders: list[Loader] = []

    def make(dataset: ImageSet, config: RunConfig) -> tuple[Resident, TrainState, Schedule, list[str]]:
        loaders.append(Loader(dataset, Sampler(len(dataset), config.seed)))
        said: list[str] = []
        pictures = Resident(loaders[-1], config, CPU, said.append, Stop())
        schedule = Schedule(config.schedule, config.optim, config.network.resolution)
        return pictures, TrainState(config, CPU), schedule, said

    yield make
    for loader in loaders:
        loader.close()


SETS = {
    "colour": (3, None),
    "grey, classes": (1, [i % 3 for i in range(10)]),
    "transparent, several labels": (4, [[i % 2, 1, i / 16] for i in range(10)]),
}


@pytest.mark.parametrize("name", SETS)
def test_what_steps_see_is_the_same_bit_for_bit(
    tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """At every size, in and after fades, across epochs, in parts, in the shares of two processes, and mirrored."""
    channels, labels = SETS[name]
    monkeypatch.setattr(dataset_module, "CHUNK_BYTES", 1000)  # the pictures come one or a few at a time
    with open_dataset(write_set(tmp_path / "set", 10, 16, channels, labels)) as dataset:
        kept, state, schedule, said = serve(dataset, fitted(dataset, "always"))
        read, *_ = serve(dataset, fitted(dataset, "never"))
        read.loader.batch(0, 6, 16)  # and a wrong guess of the loader's changes nothing
        for stage, alpha in itertools.product(schedule.stages, (0.3, 1.0)):
            phase = schedule.trained(stage, alpha)
            kept.prepare(state, phase)
            assert torch.is_tensor(kept.batch(0, 6, phase.resolution)[0])
            shown = []
            for most, (rank, world) in itertools.product((None, 2), ((0, 1), (0, 2), (1, 2))):
                feeds = [
                    Feed(pictures, dataset.labels, fitted(dataset, how, microbatch=most), CPU, Ranks(rank, world))
                    for pictures, how in ((kept, "always"), (read, "never"))
                ]
                for nimg in (0, 6, 12, 600):
                    (ours, of), (theirs, whose) = (feed.reals(nimg, phase) for feed in feeds)
                    assert torch.equal(ours, theirs) and ours.stride() == theirs.stride() and len(ours) > 0
                    assert of is whose is None if labels is None else torch.equal(of, whose) and of.dtype == whose.dtype
                    shown.append(ours.mean().item())
            assert len(set(shown)) > 4
    assert said[-1] == f"pictures: keeping 10 of 16x16 in memory, {10 * channels * 256 / 2**20:.1f} MiB"
    assert [line.split()[4] for line in said] == ["4x4", "8x8", "16x16"]


def run(data: Path | None, out: Path, *words: tuple[str, str]) -> job.Outcome:
    named = (("execution.device", "cpu"), ("execution.threads", "1"), ("execution.plan", "plain"), *words)
    asked = Request(data=data, out=out, preset="tiny" if data else None, overrides=named, say=print)
    prepared = job.prepare(asked)
    with prepared.dataset:
        return job.train(prepared)


def test_a_run_that_keeps_its_pictures_is_the_one_that_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole jobs: one reads; one keeps, is stopped in a fade, reads, is stopped later, and keeps again."""
    data = write_set(tmp_path / "set", 24, 8, labels=[i % 2 for i in range(24)])
    stage = [(f"schedule.{name}_kimg", "0.064") for name in ("training", "transition", "tick")]
    words = (("schedule.total_kimg", "0.32"), ("snapshots.measure", "none"), *stage)
    assert run(data, tmp_path / "read", *words).ended
    assert "pictures:" not in capsys.readouterr().out

    train, batch = job.loop.train, Loader.batch

    def go_on(how: str, until: int | None) -> job.Outcome:
        def stopping(state: Any, schedule: Any, feed: Any, callbacks: Any, stop: Any) -> bool:
            after_step = callbacks.after_step

            def told(*args: Any) -> None:
                after_step(*args)
                if state.nimg == until:
                    stop.asked = 15

            callbacks.after_step = told
            return train(state, schedule, feed, callbacks, stop)

        def reading(*args: Any) -> Any:
            assert how == "never", "the loader was asked"
            return batch(*args)

        monkeypatch.setattr(job.loop, "train", stopping)
        monkeypatch.setattr(Loader, "batch", reading)
        begun = (tmp_path / "kept" / "config.json").exists()
        return run(None if begun else data, tmp_path / "kept", *words, ("execution.resident", how))

    assert go_on("always", 120).nimg == 120
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("pictures:")]
    assert said == [f"pictures: keeping 24 of {size} in memory, 0.0 MiB" for size in ("4x4", "8x8")]
    assert go_on("never", 176).nimg == 176
    assert go_on("always", None).ended
    models = sorted(path.relative_to(tmp_path / "read") for path in (tmp_path / "read" / "models").iterdir())
    assert len(models) >= 3
    for name in models:
        read, kept = (open_model(tmp_path / which / name) for which in ("read", "kept"))
        for network in ("G_ema", "G", "D"):
            for key, value in read.network(network).state_dict().items():
                assert torch.equal(kept.network(network).state_dict()[key], value), (name, network, key)


def test_the_old_pictures_are_gone_before_new_ones_come(
    tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_dataset(write_set(tmp_path / "set")) as dataset:
        kept, state, schedule, said = serve(dataset, fitted(dataset, "always"))
        before: list[weakref.ref[torch.Tensor]] = []
        loads, alive = [], []
        load = Resident._load

        def watched(self: Resident, size: int, progress: Any) -> Any:
            loads.append(size)
            alive.extend(ref() for ref in before if ref() is not None)
            found = load(self, size, progress)
            before.append(weakref.ref(found[0]))
            return found

        monkeypatch.setattr(Resident, "_load", watched)
        for stage in schedule.stages:
            for alpha in (0.5, 0.75, 1.0):
                kept.prepare(state, schedule.trained(stage, alpha))
        assert loads == [4, 8, 16] and alive == [] and len(said) == 3
        kept.prepare(state, schedule.trained(schedule.stages[1]))  # to which a run may go back
        assert loads[-1] == 8 and len(kept.batch(0, 4, 8)[0]) == 4


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")]
)
def test_pictures_that_find_no_memory_are_read(
    tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with open_dataset(write_set(tmp_path / "set")) as dataset:
        whole = ImageSet.chunks

        def broken(self: ImageSet, *args: Any) -> Iterator[np.ndarray]:
            yield next(whole(self, *args))[:3]
            raise error

        monkeypatch.setattr(ImageSet, "chunks", broken)
        kept, state, schedule, said = serve(dataset, fitted(dataset, "auto"))
        kept.wanted = True  # as on a CUDA GPU
        phase = schedule.trained(schedule.stages[-1])
        for _ in range(2):
            kept.prepare(state, phase)
            assert isinstance(kept.batch(0, 6, 16)[0], np.ndarray)
        reason = "CUDA out of memory" if str(error) else "out of memory"
        assert said[1:] == [f"pictures: reading batch by batch: 10 of 16x16 could not be kept in memory ({reason})"]
        kept, *_ = serve(dataset, fitted(dataset, "always"))
        with pytest.raises(OutOfMemory, match=r"10 of 16x16 could not be kept .*: use --set execution\.resident=auto"):
            kept.prepare(state, phase)


def test_pictures_that_do_not_fit_beside_the_steps_are_read(
    tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_dataset(write_set(tmp_path / "set")) as dataset:
        kept, state, schedule, said = serve(dataset, fitted(dataset, "auto"))
        kept.wanted = True  # as on a CUDA GPU
        config, phase = kept.config, schedule.trained(schedule.stages[-1])
        needed, taken = memory.needed_memory(config, phase, CPU), sum(t.nbytes for t in state.tensors().values())
        level = 10 * 3 * 16 * 16
        for more, fits in ((2 * level - 1, False), (2 * level, True)):
            free = needed - taken + more
            monkeypatch.setattr(memory, "free_memory", lambda device, free=free: free)
            assert memory.spare_memory(config, phase, CPU, taken) == more / 2
            kept.prepare(state, schedule.trained(schedule.stages[0]))
            kept.prepare(state, phase)
            assert torch.is_tensor(kept.batch(0, 6, 16)[0]) is fits
            assert said[-1].startswith(f"pictures: {'keeping' if fits else 'reading batch by batch:'} 10 of 16x16")
        assert "10 of 16x16 take 0.0 MiB, and training leaves 0.0 MiB free" in said[1]

        always = fitted(dataset, "always")
        monkeypatch.setattr(memory, "free_memory", lambda device: None)  # where that cannot be told it is tried
        resident.check_resident(always, schedule, CPU, dataset)
        monkeypatch.setattr(memory, "free_memory", lambda device: needed)
        resident.check_resident(config, schedule, CPU, dataset)
        with pytest.raises(OutOfMemory, match=r"10 of 16x16 take .* free: use --set execution\.resident=auto"):
            resident.check_resident(always, schedule, CPU, dataset)


def test_a_stop_breaks_off_the_reading(tmp_path: Path, serve: Any) -> None:
    with open_dataset(write_set(tmp_path / "set")) as dataset:
        kept, state, schedule, _ = serve(dataset, fitted(dataset, "always"))
        kept.stop.asked = 15
        kept.prepare(state, schedule.trained(schedule.stages[0]))
        assert isinstance(kept.batch(0, 6, 4)[0], np.ndarray)


@pytest.mark.parametrize(
    ("how", "device", "wanted"),
    [
        ("auto", "cuda", True),
        ("auto", "cpu", False),
        ("auto", "mps", False),
        ("always", "cpu", True),
        ("never", "cuda", False),
    ],
)
def test_where_pictures_are_kept(how: str, device: str, wanted: bool) -> None:
    config = replace(RunConfig(), execution=replace(RunConfig().execution, resident=how))
    nothing: Any = None
    assert Resident(nothing, config, Machine(torch.device(device)), print, Stop()).wanted is wanted


def test_configurations_of_before_are_read() -> None:
    stored = to_json(RunConfig())
    assert stored["execution"].pop("resident") == "auto"
    assert from_json(RunConfig, stored) == RunConfig()
