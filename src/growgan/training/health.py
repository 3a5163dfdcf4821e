"""Whether a run still learns: failures are detected before anything is saved, and reported with their place.

Three kinds of failure, each with a sign that no healthy run shows:

- Non-finite numbers. On a CPU each step is checked before it moves a weight. On a GPU checking would make the CPU wait
  for every step; there the tick's sums are checked, in which non-finite values persist, and everything since the last
  good state is discarded.
- Explosion. A penalty of 10,000 is a gradient norm thirty times its target (or, with R1, of 45): no step at a sane
  learning rate leads there. Scores of 10,000 times the target's unit are far beyond what the drift term allows.
- Collapse. G's pictures of 16 fixed latents differ by less than half a grey level: one picture for every latent. Or D
  gives them all the same score to the last digits, so that G learns nothing from it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from growgan.core.errors import RunError
from growgan.core.schedule import Phase
from growgan.sampling import latents
from growgan.training.measure import batch_size
from growgan.training.state import TrainState
from growgan.training.step import tick_means

FAKES = 16
FIRST_SEED = 0
ALIKE = 1e-6
"""Relative spread of scores that float32 can hardly tell from zero."""
PENALTIES = ("D/penalty", "D/r1", "D/r2")
SCORES = ("D/score_real", "D/score_fake")


class TrainingFailure(RunError):
    """Training has failed; the message begins with where."""

    def __init__(self, state: TrainState, phase: Phase, what: str) -> None:
        place = f"after {state.nimg:,} images at {phase.resolution}x{phase.resolution}, alpha {phase.alpha:.3f}"
        super().__init__(f"{place}, {what}")


def examine(state: TrainState, phase: Phase) -> None:
    """Raise `TrainingFailure` if the run must not continue. Called before anything is written."""
    parted = _parted(state)
    what = state.ranks.on_first(
        lambda: parted or _numbers(state) or _explosion(state) or _weights(state) or _collapse(state, phase)
    )
    if what:
        raise TrainingFailure(state, phase, what)


def _parted(state: TrainState) -> str:
    """Report processes whose weights differ from the first one's: a hardware or software fault.

    All networks are checked: every process applies the same sums, so that a D which has diverged leaves no trace in G.
    """
    if state.ranks.world == 1:
        return ""
    weights = [p.detach() for network in (state.G, state.D, state.G_ema) for p in network.parameters()]
    bits = [p.view(torch.int64 if p.dtype == torch.float64 else torch.int32) for p in weights]
    sums = state.ranks.gather(int(torch.stack([b.sum(dtype=torch.int64) for b in bits]).sum()))
    others = [str(rank) for rank, value in enumerate(sums) if value != sums[0]]
    return f"processes {', '.join(others)} have different weights from the first one" if others else ""


def _numbers(state: TrainState) -> str:
    means = tick_means(state)
    broken = [name for name, value in means.items() if not abs(value) < float("inf")]
    return f"non-finite values in the last steps: {', '.join(broken)}" if broken else ""


def _explosion(state: TrainState) -> str:
    means, health = tick_means(state), state.config.health
    for name in PENALTIES:
        if 0 < health.penalty_limit < means.get(name, 0.0):
            return f"the gradient penalty has exploded: {means[name]:.4g} on average, above {health.penalty_limit:g}"
    unit = max(1.0, state.config.loss.gp_target) if state.config.loss.name == "wgan_gp" else 1.0
    for name in SCORES:
        if 0 < health.score_limit * unit < abs(means.get(name, 0.0)):
            return f"D's scores have diverged: {means[name]:.4g} on average, above {health.score_limit * unit:g}"
    return ""


def _weights(state: TrainState) -> str:
    """Report non-finite weights, from which the run could never be resumed."""
    for name, network in (("G", state.G), ("D", state.D), ("G_ema", state.G_ema)):
        if not torch.stack([p.isfinite().all() for p in network.parameters()]).all():
            return f"the weights of {name} are not finite"
    return ""


@torch.no_grad()
def _collapse(state: TrainState, phase: Phase) -> str:
    health = state.config.health
    if not health.diversity_limit and not health.score_limit:
        return ""
    z, labels = _latents(state)
    pictures, judged = [], []
    at_once = batch_size(phase.resolution)
    for start in range(0, FAKES, at_once):
        some = slice(start, start + at_once)
        mine = None if labels is None else labels[some]
        fakes = state.G(z[some], mine, phase.resolution, phase.alpha)
        pictures.append(fakes.float().clamp(-1, 1))
        judged.append(state.D(fakes, mine, phase.alpha)[0].cpu().double())  # MPS has no float64
    levels, scores = 127.5 * torch.cat(pictures).std(dim=0, correction=0).mean(), torch.cat(judged)
    size = scores.abs().mean()
    differ, spread = levels.item(), (scores.std(correction=0) / size.clamp(min=1e-30)).item()
    if differ < health.diversity_limit:
        return f"G has collapsed: {FAKES} latents give pictures that differ by only {differ:.2g} of 255 grey levels"
    if health.score_limit and spread < ALIKE:
        return f"D has collapsed: it gives {FAKES} different pictures the same score, {scores.mean().item():.4g}"
    return ""


def _latents(state: TrainState) -> tuple[Tensor, Tensor | None]:
    """The latents of seeds 0 to 15, and their labels: the classes in turn."""
    spec = state.spec
    z, labels = latents.draw(range(FIRST_SEED, FIRST_SEED + FAKES), spec, {})
    if labels is not None:
        labels = torch.arange(FAKES) % spec.num_labels
        labels = torch.nn.functional.one_hot(labels, spec.num_labels).float() if spec.multi_label else labels
        labels = labels.to(state.device)
    return z.to(state.device, state.dtype), labels
