"""One step of training: an update of D (or several), then one of G. The whole method is on this screen.

The order is the release's: the moving average takes G's weights *before* G is updated, once for each update of D; D's
fakes carry the labels of its reals; G's step draws latents and labels of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from growgan.core.schedule import Phase
from growgan.losses.base import Terms
from growgan.training.cuda_graphs import Stats, StepInputs
from growgan.training.draws import RandomSource
from growgan.training.feed import BatchSource
from growgan.training.microbatches import own_rows
from growgan.training.optim import average, ema_factor
from growgan.training.state import TrainState


def train_step(state: TrainState, phase: Phase, feed: BatchSource) -> Stats:
    """Advance `state` by one minibatch for each update of D and one update of G. Returns the step's stats."""
    stats: Stats = {}
    config = state.config
    for _ in range(config.schedule.d_repeats):
        reals, labels = feed.reals(state.nimg, phase)
        stats |= d_step(state, phase, reals, labels)
        factor = ema_factor(config.optim, phase, state.nimg, config.schedule.shortened)
        average(state.G_ema.parameters(), state.G.parameters(), factor)
        state.nimg += phase.minibatch
    return stats | g_step(state, phase, feed, reals)


def d_step(state: TrainState, phase: Phase, reals: Tensor, labels: Tensor | None) -> Stats:
    """Update D on `reals`, [own N, C, S, S] faded as the networks are, and on as many fakes."""
    penalised = state.step_info(phase).penalised
    inputs = StepInputs(phase, state.draws("D", phase), reals, labels)
    stats = state.passes.run(d_pass, state, inputs, lazy=penalised)
    state.ranks.all_reduce_gradients(state.D, stats, phase)
    check_finite(stats, "D")
    state.opt_D.step(phase.d_lr * state.rate, phase.beta2)
    of_d = {name.removeprefix("D/"): value for name, value in stats.items()}
    state.loss.after_d_step(of_d)
    state.augment.after_d_step(of_d, phase, state.updates(phase))
    return stats


def d_pass(state: TrainState, phase: Phase, draws: RandomSource, reals: Tensor, labels: Tensor | None) -> Stats:
    """D's gradients, with fakes that G does not learn from."""
    stats: Stats = {}
    for part in state.parts(phase):
        random, classes = draws.of(part.rows), labels[part.own] if labels is not None else None
        with torch.no_grad():
            fakes = state.G(random.normal("z", state.spec.z_size), classes, phase.resolution, phase.alpha)
        D, info = state.critic(phase, random), state.step_info(phase)
        for terms in state.loss.d_terms(D, reals[part.own], fakes, classes, random, info):
            backward(terms, len(part) / phase.minibatch, stats, "D")
    return stats


def g_step(state: TrainState, phase: Phase, feed: BatchSource, reals: Tensor) -> Stats:
    """Update G on fresh latents and labels, through a frozen D. reals: those that D was last updated on."""
    draws = state.draws("G", phase)
    labels = feed.random_labels(draws.of(own_rows(state.parts(phase))))
    stats = state.passes.run(g_pass, state, StepInputs(phase, draws, reals, labels))
    state.ranks.all_reduce_gradients(state.G, stats, phase)
    check_finite(stats, "G")
    state.opt_G.step(phase.g_lr * state.rate, phase.beta2)
    return stats


def g_pass(state: TrainState, phase: Phase, draws: RandomSource, reals: Tensor, labels: Tensor | None) -> Stats:
    """G's gradients. labels: those of the fakes."""
    stats: Stats = {}
    with frozen(state.D):
        for part in state.parts(phase):
            random, classes = draws.of(part.rows), labels[part.own] if labels is not None else None
            fakes = state.G(random.normal("z", state.spec.z_size), classes, phase.resolution, phase.alpha)
            terms = state.loss.g_terms(state.critic(phase, random), reals[part.own], fakes, classes, random)
            backward(terms, len(part) / phase.minibatch, stats, "G")
    return stats


def backward(terms: Terms, share: float, stats: Stats, network: str) -> None:
    """Add the gradients and stats of some terms of a part, weighted by its share of the minibatch."""
    loss = terms.total
    (loss * share).backward()  # type: ignore[no-untyped-call]
    for name, value in {"loss": loss, **terms.parts, **terms.stats}.items():
        key = f"{network}/{name}"
        stats[key] = stats.get(key, 0) + value.detach() * share


def read(stats: Stats) -> dict[str, float]:
    """Stats as plain numbers, waiting for the device only once."""
    return dict(zip(stats, torch.stack(list(stats.values())).tolist(), strict=True)) if stats else {}


def tick_means(state: TrainState) -> dict[str, float]:
    """The stats' means since the last tick."""
    return {name: value / state.tick_steps for name, value in read(state.tick_sums).items()}


def check_finite(stats: Stats, network: str) -> None:
    """Raise `FloatingPointError` if the loss is not finite. On a GPU this would stall: there `health` finds it
    later."""
    loss = stats[f"{network}/loss"]
    if loss.device.type == "cpu" and not loss.isfinite():
        named = ", ".join(f"{name} {value:g}" for name, value in read(stats).items())
        raise FloatingPointError(f"the loss of {network} is not finite: {named}")


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Disable gradients for the network's weights while entered; weights that had none before have none afterwards."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
