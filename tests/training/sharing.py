"""Runs that several processes share, as a program: each process trains and the first one leaves what came of it.

``python sharing.py NAME OUT`` with torchrun's variables set; `launch` sets them and starts the processes.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from training.making import Quiet, begin, half_and_half, recipe, small

from growgan.core.fields import per
from growgan.training.loop import train
from growgan.training.ranks import ALONE, Ranks, join, leave
from growgan.training.step import d_step, g_step
from growgan.training.stop import Stop

TESTS = Path(__file__).parents[1]

RUNS = {
    # name: recipe, minibatch, stddev group, classes, micro-batch
    "two groups": ("wgan_gp", 8, 4, 0, None),
    "labels and parts": ("wgan_gp", 8, 2, 3, 2),
    "uneven": ("logistic", 6, 2, 0, None),
    "idle": ("lsgan", 4, 4, 0, None),
    "augmented": ("augmented", 8, 4, 3, None),
    "scheduled": ("scheduled", 6, 2, 0, 2),
}
GRADIENTS = {"even": 8, "odd": 6}


def settings(name: str, minibatch: int, group: int, classes: int, most: int | None, precision: str):
    config = recipe(small(resolution=8, minibatch=per(minibatch), total_kimg=0.052 * minibatch), name)
    stage = per(0.017 * minibatch)
    return replace(
        config,
        network=replace(config.network, stddev_group=group, num_labels=classes),
        schedule=replace(config.schedule, training_kimg=stage, transition_kimg=stage, tick_kimg=stage),
        execution=replace(config.execution, microbatch=most, precision=precision),
    )


def whole_run(name: str, ranks: Ranks = ALONE) -> dict[str, torch.Tensor]:
    """All that a run of 52 steps in float64, through a fade from 4x4 to 8x8, ends with, and its log."""
    made_of, minibatch, group, classes, most = RUNS[name]
    config = settings(made_of, minibatch, group, classes, most, "float64")
    labels = np.arange(64) % classes if classes else None
    state, schedule, feed = begin(config, half_and_half(), labels, ranks)
    callbacks = Quiet()
    assert train(state, schedule, feed, callbacks, Stop())
    assert len(callbacks.steps) == 52 and callbacks.stages == [4, 8]
    log = {f"log.{nimg}.{key}": torch.tensor(value) for nimg, means in callbacks.ticks for key, value in means.items()}
    return state.tensors() | log


def gradients(name: str, ranks: Ranks = ALONE) -> dict[str, torch.Tensor]:
    """The gradients of one step of D and one of G in the middle of a fade, in float32."""
    minibatch = GRADIENTS[name]
    state, schedule, feed = begin(settings("wgan_gp", minibatch, 2, 0, None, "float32"), half_and_half(), None, ranks)
    phase = schedule.trained(schedule.stages[-1], 0.5)
    found: dict[str, torch.Tensor] = {}

    def note(network):
        def step(lr, beta2):
            named = {f"{type(network).__name__}.{path}": p.grad for path, p in network.named_parameters()}
            found.update({path: grad.clone() for path, grad in named.items() if grad is not None})

        return step

    state.opt_D.step, state.opt_G.step = note(state.D), note(state.G)
    reals, labels = feed.reals(0, phase)
    stats = d_step(state, phase, reals, labels) | g_step(state, phase, feed, reals)
    return found | stats


def launch(words: list[str], world: int, **environment: str) -> list[subprocess.Popen[str]]:
    """Start ``python WORDS`` as `world` processes of one run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **{key: str(value) for key, value in shared.items()}}
    variables["PYTHONPATH"] = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    return [
        subprocess.Popen(
            [sys.executable, *words],
            env={**variables, "RANK": str(rank), "LOCAL_RANK": str(rank), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    with join() as ranks:
        assert ranks.world > 1
        results = {f"run {name}": whole_run(name, ranks) for name in RUNS}
        results |= {f"gradients {name}": gradients(name, ranks) for name in GRADIENTS}
        if ranks.first:
            torch.save(results, sys.argv[1])
    leave(0)
