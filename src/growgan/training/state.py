"""The complete state of a run: networks, optimisers, and the clock."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from growgan import losses
from growgan.augment.strength import Augment
from growgan.core.config import RunConfig
from growgan.core.schedule import Phase
from growgan.devices import Machine
from growgan.losses.base import StepInfo
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator
from growgan.networks.layers import follow, initialize, keep_kernels
from growgan.training.cuda_graphs import Passes, recorder
from growgan.training.draws import Draws, RandomSource
from growgan.training.microbatches import Part, parts
from growgan.training.optim import Adam
from growgan.training.ranks import ALONE, Ranks


class TrainState:
    """What `step.train_step` advances and a resume restores completely.

    The clock is `nimg`, the real images shown. `held` is the clock's value from which the current phase was read, and
    `repeat` how many minibatches it has been held for.
    """

    def __init__(self, config: RunConfig, machine: Machine, ranks: Ranks = ALONE, *, keep: bool = False) -> None:
        """keep: whether kernels prepared from weights are kept while these do not change, which is faster.

        Only if every update is a `step`: other code need not bump a weight's version as `optim` and `cuda_graphs` do
        (`layers.keep_kernels`).
        """
        self.config = config
        self.ranks = ranks
        self.spec = config.network
        self.device = machine.device
        self.dtype = machine.dtype
        with torch.device("meta"):  # drawn below, by name: the global random state is not touched
            self.G = Generator(self.spec)
            self.D = Discriminator(self.spec)
        for name, network in (("G", self.G), ("D", self.D)):
            if machine.device.type != "meta":  # meta is used where networks may not fit
                network.to_empty(device="cpu")
            initialize(network, config.seed, name)
            network.compute = machine.compute
            network.to(device=self.device, dtype=self.dtype, memory_format=machine.layout)  # type: ignore[call-overload]
        self.G_ema = copy.deepcopy(self.G).requires_grad_(False)
        for network in (self.G, self.D, self.G_ema):
            follow(network, machine.plan)
            keep_kernels(network, keep)
        for size in config.start.frozen:
            self.D.stage(size).requires_grad_(False)
        self.opt_G = Adam(self.G, config.optim)
        self.opt_D = Adam(self.D, config.optim)
        self.loss = losses.create(config.loss, self.spec.multi_label)
        self.augment = Augment(config.augment, self.device, config.schedule.shortened)
        self.passes = Passes(recorder(self.device) if config.execution.graphs == "auto" else None)
        self.nimg = 0
        self.held = 0
        self.repeat = 0
        self.rate = 1.0
        """Factor on the schedule's learning rates: lowered by rollbacks."""
        self.rollbacks = 0
        """Number of rollbacks so far."""
        self.seconds = 0.0
        """Training time over all starts of the run."""
        self.tick = 0
        self.tick_start = 0
        self.tick_seconds = 0.0
        self.tick_steps = 0
        self.tick_sums: dict[str, Tensor] = {}

    def draws(self, step: str, phase: Phase) -> Draws:
        """The random numbers of the minibatch at this moment."""
        return Draws(self.config.seed, step, self.nimg, phase.minibatch, self.device, self.dtype)

    def step_info(self, phase: Phase) -> StepInfo:
        """What D's loss needs to know of this step."""
        penalised = self.updates(phase) % self.config.loss.every(phase.resolution) == 0
        return StepInfo(phase.resolution, self.spec.resolution / phase.resolution, penalised, phase.progress)

    def updates(self, phase: Phase) -> int:
        """Updates of D before this one, as if all minibatches were as large as this one."""
        return self.nimg // phase.minibatch

    def critic(self, phase: Phase, draws: RandomSource) -> Callable[..., tuple[Tensor, Tensor]]:
        """D as a loss sees it at this moment: at the phase's fade, with images augmented by `draws`."""
        D = partial(self.D, alpha=phase.alpha)
        return self.augment.before(D, draws, phase.progress) if self.augment.works_at(phase.resolution) else D

    def parts(self, phase: Phase) -> tuple[Part, ...]:
        """The micro-batches of a minibatch that this process computes."""
        most, ranks = self.config.execution.microbatch, self.ranks
        return parts(phase.minibatch, most, self.spec, ranks.rank, ranks.world)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that is a tensor, by name, for the state file."""
        named: dict[str, Tensor] = {}
        for name, network in (("G", self.G), ("D", self.D), ("G_ema", self.G_ema)):
            named |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
        named |= {f"opt_G.{key}": value for key, value in self.opt_G.tensors().items()}
        named |= {f"opt_D.{key}": value for key, value in self.opt_D.tensors().items()}
        named |= {f"loss.{key}": value for key, value in self.loss.state.items()}
        named |= {f"augment.{key}": value for key, value in self.augment.state.items()}
        named |= {f"tick.{key}": value for key, value in self.tick_sums.items()}
        return named

    def counters(self) -> dict[str, Any]:
        """Everything that is a number, for the state file."""
        return {
            "nimg": self.nimg,
            "held": self.held,
            "repeat": self.repeat,
            "rate": self.rate,
            "rollbacks": self.rollbacks,
            "seconds": self.seconds,
            "tick": self.tick,
            "tick_start": self.tick_start,
            "tick_seconds": self.tick_seconds,
            "tick_steps": self.tick_steps,
            "opt_G_steps": self.opt_G.steps,
            "opt_D_steps": self.opt_D.steps,
        }

    def restore(self, tensors: dict[str, Tensor], counters: dict[str, Any]) -> None:
        """Become what `tensors` and `counters` describe. Raises `KeyError` or `RuntimeError` if they do not fit."""
        self.passes.forget()
        groups: dict[str, dict[str, Tensor]] = {}
        for path, value in tensors.items():
            group, key = path.split(".", 1)
            groups.setdefault(group, {})[key] = value
        for name, network in (("G", self.G), ("D", self.D), ("G_ema", self.G_ema)):
            network.load_state_dict(groups[name])
            network.zero_grad(set_to_none=True)  # an interrupted step may have left nonsense in them
        self.opt_G.restore(groups.get("opt_G", {}), counters["opt_G_steps"])
        self.opt_D.restore(groups.get("opt_D", {}), counters["opt_D_steps"])
        # Copied, since these are parts of the state's file, which would otherwise stay open.
        own = {
            group: {key: value.to(self.device, copy=True) for key, value in groups.get(group, {}).items()}
            for group in ("loss", "augment", "tick")
        }
        self.loss.state, self.tick_sums = own["loss"], own["tick"]
        self.augment.state |= own["augment"]
        # States of earlier versions lack `rate`, and call `rollbacks` `went_back`.
        counters = {"rate": 1.0, "rollbacks": counters.get("went_back", 0)} | counters
        for name in self.counters():
            if not name.startswith("opt_"):
                setattr(self, name, counters[name])
