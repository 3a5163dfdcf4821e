"""The passes of a step as a CUDA GPU repeats them: recorded once, and then started as a whole (CUDA graphs).

A step is about a thousand pieces of work for the card. At small sizes each takes it a few microseconds, and the
processor three times as long to ask for them one by one. What is recorded reads its inputs from the same places every
time: all that changes from step to step is brought there before, and nothing of it may stand in the recording.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from growgan.core.errors import first_line
from growgan.core.schedule import Phase
from growgan.training.draws import Draws, Numbers

if TYPE_CHECKING:
    from growgan.training.state import TrainState

Figures = dict[str, Tensor]
"""Named scalars of a step, detached."""
Pass = Callable[["TrainState", Phase, Numbers, Tensor, Tensor | None], Figures]
"""Given a phase, random numbers, reals and labels: leaves gradients in one network, and returns figures."""
Record = Callable[[Callable[[], None]], Callable[[], None]]
"""Takes down what a piece of work has the device do, and returns what has it done again."""
Recorder = Callable[[], Record]
"""Begins recordings that are to be forgotten together."""

REFUSED = "steps cannot be recorded as CUDA graphs, so kernels are launched one at a time"
WARM_UP = 2
"""How often a pass is done as it is written before it is recorded: meanwhile cuDNN looks for its fastest ways."""


class Passes:
    """Does a step's passes: as they are written, or from recordings of them."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        """recorder: None = passes are done as they are written."""
        self.recorder = recorder
        self._record: Record | None = None
        self._stage: tuple[int, int, bool] | None = None
        self._kinds: dict[tuple[Pass, bool], _Kind] = {}

    def run(
        self,
        work: Pass,
        state: TrainState,
        phase: Phase,
        draws: Draws,
        reals: Tensor,
        labels: Tensor | None,
        more: bool = False,
    ) -> Figures:
        """Do a pass. The gradients that it leaves are good until the next one.

        more: whether it is one of those, among its stage's, in which more is done than in the others.
        """
        if self.recorder is None or not len(reals):  # of several processes one may have nothing to do
            return work(state, phase, draws, reals, labels)
        stage = phase.resolution, phase.minibatch, phase.fading
        if stage != self._stage:
            self.forget()
            self._stage = stage
        kind = self._kinds.setdefault((work, more), _Kind())
        trouble = ""
        if kind.times < WARM_UP:
            kind.times, kind.asked = kind.times + 1, []
            try:
                return work(state, phase, _Noting(draws, kind.asked), reals, labels)
            except torch.OutOfMemoryError as error:
                if self._record is None:  # not for want of what recordings hold
                    raise
                trouble = first_line(error)
        elif kind.recording is None:
            try:
                self._record = self._record or self.recorder()
                kind.recording = _Recording(self._record, work, state, phase, kind.asked, reals, labels)
            except RuntimeError as error:  # out of memory, or a driver that cannot
                trouble = first_line(error)
        if kind.recording is not None:
            return kind.recording.replay(phase, draws, reals, labels)
        # Not where the error was caught: as long as it is dealt with, it holds on to all that the pass has made.
        self.recorder = None
        self.forget()
        for network in (state.G, state.D):
            network.zero_grad(set_to_none=True)
        warnings.warn(f"{REFUSED}: {trouble}; use --set execution.graphs=never to skip the attempt", stacklevel=2)
        return work(state, phase, draws, reals, labels)

    @property
    def settling(self) -> int:
        """After how many steps of a kind all its passes are recorded."""
        return WARM_UP + 1 if self.recorder else 0

    def forget(self) -> None:
        """Record anew: after a change of what is at work, or of the tensors that passes read beside their inputs."""
        for kind in self._kinds.values():
            if kind.recording is not None:
                kind.recording.finish()
        self._stage = self._record = None
        self._kinds.clear()


def recorder(device: torch.device) -> Recorder | None:
    """How passes are recorded on a device, if they are."""
    if device.type != "cuda":
        return None

    def begin() -> Record:
        pool = torch.cuda.graph_pool_handle()  # one for all: what a pass needs on its way, the next one may use

        def record(work: Callable[[], None]) -> Callable[[], None]:
            graph = torch.cuda.CUDAGraph()
            stream = torch.cuda.current_stream(device)
            try:
                # Other threads, such as the loader's, may do meanwhile what a recording does not allow.
                with torch.cuda.device(device), torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
                    work()
            except BaseException:
                torch.cuda.set_stream(stream)  # one that cannot be ended leaves its own behind
                raise
            return graph.replay

        return record

    return begin


@dataclass(slots=True)
class _Ask:
    """Random numbers that a pass asks for, and the place where its recording finds them."""

    rows: Tensor | None
    name: str
    normal: bool
    shape: tuple[int, ...]
    place: Tensor

    def fill(self, draws: Draws) -> None:
        some = draws if self.rows is None else draws.of(self.rows)
        self.place.copy_((some.normal if self.normal else some.uniform)(self.name, *self.shape))


@dataclass(slots=True)
class _Kind:
    """Passes that are alike but for their inputs."""

    times: int = 0
    asked: list[_Ask] = field(default_factory=list)
    recording: _Recording | None = None


@dataclass(frozen=True, slots=True)
class _Noting:
    """Draws that note what is asked of them."""

    draws: Draws
    asked: list[_Ask]

    def of(self, rows: Tensor) -> _Noting:
        return replace(self, draws=self.draws.of(rows))

    def normal(self, name: str, *shape: int) -> Tensor:
        return self._noted(name, True, shape, self.draws.normal(name, *shape))

    def uniform(self, name: str, *shape: int) -> Tensor:
        return self._noted(name, False, shape, self.draws.uniform(name, *shape))

    def _noted(self, name: str, normal: bool, shape: tuple[int, ...], values: Tensor) -> Tensor:
        self.asked.append(_Ask(self.draws.rows, name, normal, shape, values.clone()))
        return values


class _Placed:
    """Draws whose numbers lie where they were noted, in the order in which they are asked for."""

    def __init__(self, asked: Iterable[_Ask]) -> None:
        self._left = iter(asked)

    def of(self, rows: Tensor) -> _Placed:
        return self

    def normal(self, name: str, *shape: int) -> Tensor:
        return self._next(name, True, shape)

    def uniform(self, name: str, *shape: int) -> Tensor:
        return self._next(name, False, shape)

    def _next(self, name: str, normal: bool, shape: tuple[int, ...]) -> Tensor:
        ask = next(self._left, None)
        assert ask is not None and (ask.name, ask.normal, ask.shape) == (name, normal, shape), (
            "a pass asks for the same every time"
        )
        return ask.place


class _Recording:
    """A pass that was recorded, and the places of its inputs and outputs."""

    def __init__(
        self,
        record: Record,
        work: Pass,
        state: TrainState,
        phase: Phase,
        asked: list[_Ask],
        reals: Tensor,
        labels: Tensor | None,
    ) -> None:
        self.asked = asked
        self.device = state.device
        self.reals, self.labels = reals.clone(), None if labels is None else labels.clone()
        self.alpha, self.late = (torch.zeros((), dtype=state.dtype, device=state.device) for _ in range(2))
        self.weights = [weight for network in (state.G, state.D) for weight in network.parameters()]
        # What is 1 for good is left out of the computation; a phase's other numbers may be tensors as well.
        placed = replace(phase, alpha=self.alpha if phase.fading else 1.0, late=self.late)  # type: ignore[arg-type]

        def recorded() -> None:
            figures = work(state, placed, _Placed(self.asked), self.reals, self.labels)
            self.names, self.figures = list(figures), torch.stack(list(figures.values()))
            self.gradients = [(weight, weight.grad) for weight in self.weights if weight.grad is not None]

        self._touch()  # kernels that layers have made of their weights are of now: a recording makes them anew
        try:
            self._again = record(recorded)
        finally:
            for weight in self.weights:
                weight.grad = None
            self._touch()  # and those it has made change with every replay

    def replay(self, phase: Phase, draws: Draws, reals: Tensor, labels: Tensor | None) -> Figures:
        for ask in self.asked:
            ask.fill(draws)
        self.reals.copy_(reals)
        if self.labels is not None and labels is not None:
            self.labels.copy_(labels)
        self.alpha.fill_(phase.alpha)
        self.late.fill_(phase.late)
        self._again()
        self._touch()
        for weight, gradient in self.gradients:
            weight.grad = gradient
        return dict(zip(self.names, self.figures.clone(), strict=True))

    def finish(self) -> None:
        """Wait until the device is done with it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _touch(self) -> None:
        """Have layers take their weights for changed."""
        torch.autograd.graph.increment_version(self.weights)
