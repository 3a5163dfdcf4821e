"""A step on a device of its own: the processor hands work over and waits for none of it.

PyTorch's meta device stands in for the GPU: it takes the same operations and computes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from training.making import RECIPES, Memory, half_and_half, recipe, small

from growgan.core.fields import per
from growgan.core.schedule import Schedule
from growgan.data.sampler import Loader, Sampler
from growgan.devices import Machine, on_device
from growgan.training.feed import Feed
from growgan.training.resident import Resident
from growgan.training.state import TrainState
from growgan.training.step import read, train_step
from growgan.training.stop import Stop

COPIES = ("aten::_to_copy", "aten::copy_")


class Watch(TorchDispatchMode):
    """Notes operations for which a GPU would make the processor wait, and copies that another tensor may spoil."""

    def __init__(self) -> None:
        super().__init__()
        self.copies, self.bytes, self.reads = 0, 0, 0
        self.waits: set[str] = set()
        self.unsafe: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.reads += func._schema.name == "aten::_local_scalar_dense"
        given, made = ([leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)] for tree in (args, out))
        # Numbers, which are tensors of no dimension on the processor, go with the operation itself.
        sources = {tensor.device.type for tensor in given if tensor.dim()}
        targets = {tensor.device.type for tensor in made} if sources else set()
        if len(sources | targets) > 1:
            self.copies += 1
            self.bytes += sum(tensor.nbytes for tensor in given if tensor.device.type == "cpu")
            name = func._schema.name
            if name not in COPIES or "cpu" in targets:
                self.waits.add(name)
            if (kwargs or {}).get("non_blocking") and not given[-1].is_pinned():
                self.unsafe.add(name)
        return out


class Held:
    """Pictures [N, C, S, S] in memory, as a set of one size (`data.dataset.ImageSet`)."""

    def __init__(self, pictures: np.ndarray, labels: np.ndarray) -> None:
        self.pictures, self.labels = pictures, labels
        self.channels = pictures.shape[1]

    def __len__(self) -> int:
        return len(self.pictures)

    def chunks(self, resolution: int, progress: Any) -> Iterator[np.ndarray]:
        yield from (chunk for chunk in np.array_split(self.pictures, 3))


@pytest.mark.parametrize("name", RECIPES)
def test_a_step_neither_waits_nor_copies_from_memory_that_may_change(name: str) -> None:
    config = recipe(small(minibatch=per(8)), name)
    config = replace(
        config,
        network=replace(config.network, num_labels=3),
        execution=replace(config.execution, microbatch=4),
        data=replace(config.data, mirror=True),
    )
    machine = Machine(torch.device("meta"), compute=torch.bfloat16)
    labels = np.arange(64) % 3
    state, feed = TrainState(config, machine), Feed(Memory(half_and_half(), labels), labels, config, machine)
    schedule = Schedule(config.schedule, config.optim, 8)
    phase = schedule.trained(schedule.stages[-1], 0.5)
    train_step(state, phase, feed)  # in the first one some of what a loss remembers is on the processor yet
    with Watch() as watch:
        train_step(state, phase, feed)
    assert not watch.waits and not watch.unsafe
    assert watch.copies >= 4, "latents, pictures and labels come from the processor"


def test_of_pictures_that_are_kept_there_only_their_numbers_are_copied() -> None:
    """In a step that neither waits nor copies from memory that may change."""
    config = small(minibatch=per(8))
    config = replace(
        config,
        network=replace(config.network, num_labels=3),
        execution=replace(config.execution, resident="always", microbatch=4),
    )
    machine, labels = Machine(torch.device("meta")), np.arange(64) % 3
    schedule = Schedule(config.schedule, config.optim, 8)
    phase = schedule.trained(schedule.stages[-1], 0.5)
    pixels, moved = half_and_half(), []
    dataset: Any = Held(pixels, labels)
    with Loader(dataset, Sampler(64, 1)) as loader:
        for pictures in (Memory(pixels, labels), Resident(loader, config, machine, print, Stop())):
            state, feed = TrainState(config, machine), Feed(pictures, labels, config, machine)
            feed.prepare(state, phase)
            train_step(state, phase, feed)
            with Watch() as watch:
                train_step(state, phase, feed)
            assert not watch.waits and not watch.unsafe
            moved.append(watch.bytes)
    # Eight numbers of eight bytes come instead of the pictures, and they find the labels too, as large as they are.
    assert moved[0] - moved[1] == 8 * pixels[0].nbytes


@pytest.mark.gpu
def test_a_gpu_fetches_values_by_itself() -> None:
    device = torch.device("cuda")
    values = [torch.full((2**20,), float(i)) for i in range(8)]
    for value in values:  # room is made for them once, which may have to wait
        on_device(value, device)
    torch.cuda.synchronize()
    torch.cuda._sleep(10**9)
    there = [on_device(value, device) for value in values]
    assert not torch.cuda.current_stream().query(), "the processor has waited"
    for value in values:
        value.fill_(-1)
    assert [value.mean().item() for value in there] == list(range(8))


def test_figures_are_read_at_once() -> None:
    stats = {"D/loss": torch.tensor(0.1), "G/loss": torch.tensor(float("nan")), "D/penalty": torch.tensor(3.0)}
    with Watch() as watch:
        found = read(stats)
    assert watch.reads == 0 and found.keys() == stats.keys()
    assert found["D/loss"] == stats["D/loss"].item() and math.isnan(found["G/loss"]) and found["D/penalty"] == 3
    assert read({}) == {}
