"""Weak scaling: processes that share a run beside as many that train runs of their own, on the same cores.

``torchrun --nproc-per-node 2 benchmarks/scaling.py --resolution 32 --each 16`` prints, for each round, the images per
second of all processes apart and together, and finally the ratio of the medians. Apart, nothing is exchanged: the
ratio falls below 1 by the cost of exchanging gradients, agreeing and waiting for each other.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from statistics import median

import torch

from growgan.core.fields import per
from growgan.core.presets import preset
from growgan.core.schedule import Schedule
from growgan.devices import set_up
from growgan.training.ranks import ALONE, Ranks, join, leave
from growgan.training.state import TrainState
from growgan.training.step import train_step
from growgan.training.trial_steps import TrialSteps


def main() -> None:
    """Measure, and print from the first process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="laptop")
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--each", type=int, default=16, help="images per minibatch and process")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with join() as ranks:
        rates: dict[str, list[float]] = {"apart": [], "together": []}
        runs = {"apart": Run(args, ALONE), "together": Run(args, ranks)}
        for run in runs.values():
            for _ in range(max(1, run.state.passes.settling)):
                run.step()
        for _ in range(args.rounds):
            for name, run in runs.items():
                ranks.all_reduce_max(0)  # so that all start together
                rates[name].append(sum(ranks.gather(run.measure(args.seconds))))
            if ranks.first:
                print("  ".join(f"{name} {found[-1]:.1f} img/s" for name, found in rates.items()), flush=True)
        if ranks.first:
            ratio = median(rates["together"]) / median(rates["apart"])
            print(f"{ranks.world} processes at {args.resolution}x{args.resolution}: {ratio:.3f}")
    leave(0)


class Run:
    """A run on made-up pictures, in the middle of a fade."""

    def __init__(self, args: argparse.Namespace, ranks: Ranks) -> None:
        config = preset(args.preset)
        config = replace(
            config,
            network=replace(config.network, resolution=args.resolution),
            schedule=replace(config.schedule, minibatch=per(args.each * ranks.world)),
        )
        self.each = args.each
        self.ranks = ranks
        self.state = TrainState(config, set_up(config.execution), ranks, keep=True)
        schedule = Schedule(config.schedule, config.optim, args.resolution)
        self.phase = schedule.trained(schedule.stages[-1], 0.5)
        self.trial = TrialSteps(self.state)

    def step(self) -> None:
        """One step, and the agreement that the training loop reaches after each."""
        train_step(self.state, self.phase, self.trial)
        self.ranks.all_reduce_max(0, 0)

    def measure(self, seconds: float) -> float:
        """Images per second trained by this process."""
        began, steps = time.perf_counter(), 0
        while self.ranks.all_reduce_max(time.perf_counter() - began < seconds)[0]:
            self.step()
            steps += 1
        return steps * self.each / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
