"""The passes of a step as CUDA graphs: captured once, then replayed as a whole.

A step is about a thousand kernels. At small sizes each runs for a few microseconds on the GPU, and the CPU takes three
times as long to launch it. A recording reads its inputs from the same places every time: whatever changes from step to
step is copied there first, and no such value may be baked into the recording.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from growgan.core.errors import first_line
from growgan.core.schedule import Phase
from growgan.training.draws import RandomSource

Stats = dict[str, Tensor]
"""Named scalars of a step, detached."""
Pass = Callable[..., Stats]
"""Called as ``work(state, *inputs)``: leaves gradients in one network, and returns stats."""
Record = Callable[[Callable[[], None]], Callable[[], None]]
"""Records the device operations of some work, and returns a function that repeats them."""
Recorder = Callable[[], Record]
"""Begins a group of recordings that are dropped together."""

REFUSED = "steps cannot be recorded as CUDA graphs, so kernels are launched one at a time"
WARM_UP = 2
"""Eager runs of a pass before it is recorded, in which cuDNN looks for its fastest algorithms."""


class Trained(Protocol):
    """What passes work on: the part of `TrainState` that this module uses."""

    @property
    def G(self) -> nn.Module:
        """The generator."""

    @property
    def D(self) -> nn.Module:
        """The discriminator."""

    @property
    def device(self) -> torch.device:
        """The device of both."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of their weights."""


class StepInputs(NamedTuple):
    """What a pass reads besides the networks."""

    phase: Phase
    draws: RandomSource
    reals: Tensor
    labels: Tensor | None


class Passes:
    """Runs a step's passes, eagerly or from recordings."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        """recorder: None = passes run eagerly."""
        self.recorder = recorder
        self.record: Record | None = None
        """The current stage's recorder, once there is something to record."""
        self._stage: tuple[int, int, bool] | None = None
        self._kinds: dict[tuple[Pass, bool], _Kind] = {}

    def run(self, work: Pass, state: Trained, inputs: StepInputs, lazy: bool = False) -> Stats:
        """Run a pass. Its gradients are valid until the next one.

        lazy: whether lazy penalties are taken in this pass, which is then recorded separately from the stage's others.
        """
        if self.recorder is None or not len(inputs.reals):  # of several processes one may have nothing to do
            return work(state, *inputs)
        self._enter(inputs.phase)
        kind = self._kinds.setdefault((work, lazy), _Kind(work))
        try:
            return kind.run(state, inputs, self)
        except _Refused as error:
            reason = str(error)
        # Not inside the except clause: the exception keeps alive all that the pass has allocated.
        self._give_up(state)
        warnings.warn(f"{REFUSED}: {reason}; use --set execution.graphs=never to skip the attempt", stacklevel=2)
        return work(state, *inputs)

    def begin_recording(self) -> Record:
        """The recorder, which passes of one stage share."""
        assert self.recorder is not None
        self.record = self.record or self.recorder()
        return self.record

    def _enter(self, phase: Phase) -> None:
        """Drop the recordings of another stage."""
        stage = phase.resolution, phase.minibatch, phase.fading
        if stage != self._stage:
            self.forget()
            self._stage = stage

    def _give_up(self, state: Trained) -> None:
        """Stop recording, and free what recordings and the interrupted pass hold."""
        self.recorder = None
        self.forget()
        for network in (state.G, state.D):
            network.zero_grad(set_to_none=True)

    @property
    def settling(self) -> int:
        """Steps of a kind after which all its passes are recorded."""
        return WARM_UP + 1 if self.recorder else 0

    def forget(self) -> None:
        """Drop all recordings: other layers are trained, or passes read other tensors than their inputs."""
        for kind in self._kinds.values():
            if kind.recording is not None:
                kind.recording.finish()
        self._stage = self.record = None
        self._kinds.clear()


def recorder(device: torch.device) -> Recorder | None:
    """The recorder for a device; None if passes are not recorded there."""
    if device.type != "cuda":
        return None

    def begin() -> Record:
        pool = torch.cuda.graph_pool_handle()  # shared: one pass reuses the scratch memory of another

        def record(work: Callable[[], None]) -> Callable[[], None]:
            graph = torch.cuda.CUDAGraph()
            stream = torch.cuda.current_stream(device)
            try:
                # Other threads, such as the loader's, may meanwhile do what a capture forbids.
                with torch.cuda.device(device), torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
                    work()
            except BaseException:
                torch.cuda.set_stream(stream)  # a failed capture leaves its own stream set
                raise
            return graph.replay

        return record

    return begin


class _Refused(Exception):
    """A pass cannot be recorded; the text says why."""


@dataclass(slots=True)
class _Kind:
    """Passes that differ only in their inputs: a few eager runs, a capture, and from then on replays."""

    work: Pass
    warm_ups: int = 0
    asks: list[_Ask] = field(default_factory=list)
    recording: _Recording | None = None

    def run(self, state: Trained, inputs: StepInputs, passes: Passes) -> Stats:
        """Warm up, capture or replay, whichever is next. Raises `_Refused`."""
        if self.warm_ups < WARM_UP:
            return self._warm_up(state, inputs, passes)
        if self.recording is None:
            self.recording = self._capture(state, inputs, passes)
        return self.recording.replay(inputs)

    def _warm_up(self, state: Trained, inputs: StepInputs, passes: Passes) -> Stats:
        self.warm_ups, self.asks = self.warm_ups + 1, []
        try:
            return self.work(state, *inputs._replace(draws=_Noting(inputs.draws, self.asks)))
        except torch.OutOfMemoryError as error:
            if passes.record is None:  # there are no recordings whose memory could be freed
                raise
            raise _Refused(first_line(error)) from error

    def _capture(self, state: Trained, inputs: StepInputs, passes: Passes) -> _Recording:
        try:
            return _Recording(passes.begin_recording(), self.work, state, inputs, self.asks)
        except RuntimeError as error:  # out of memory, or unsupported by the driver
            raise _Refused(first_line(error)) from error


@dataclass(slots=True)
class _Ask:
    """Random numbers that a pass requests, and the place where its recording reads them."""

    rows: Tensor | None
    name: str
    normal: bool
    shape: tuple[int, ...]
    place: Tensor

    def fill(self, draws: RandomSource) -> None:
        some = draws if self.rows is None else draws.of(self.rows)
        self.place.copy_((some.normal if self.normal else some.uniform)(self.name, *self.shape))


@dataclass(frozen=True, slots=True)
class _Noting:
    """Draws that record what is requested of them."""

    draws: RandomSource
    asks: list[_Ask]
    rows: Tensor | None = None

    def of(self, rows: Tensor) -> _Noting:
        return replace(self, draws=self.draws.of(rows), rows=rows)

    def normal(self, name: str, *shape: int) -> Tensor:
        return self._noted(name, True, shape, self.draws.normal(name, *shape))

    def uniform(self, name: str, *shape: int) -> Tensor:
        return self._noted(name, False, shape, self.draws.uniform(name, *shape))

    def _noted(self, name: str, normal: bool, shape: tuple[int, ...], values: Tensor) -> Tensor:
        self.asks.append(_Ask(self.rows, name, normal, shape, values.clone()))
        return values


class _Placed:
    """Draws that return the recorded places, in the order of the requests."""

    def __init__(self, asks: Iterable[_Ask]) -> None:
        self._left = iter(asks)

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
    """A recorded pass, and the places of its inputs and outputs."""

    def __init__(self, record: Record, work: Pass, state: Trained, inputs: StepInputs, asks: list[_Ask]) -> None:
        self.asks = asks
        self.device = state.device
        phase, _, reals, labels = inputs
        self.reals, self.labels = reals.clone(), None if labels is None else labels.clone()
        self.alpha, self.progress = (torch.zeros((), dtype=state.dtype, device=state.device) for _ in range(2))
        self.weights = [weight for network in (state.G, state.D) for weight in network.parameters()]
        # Outside a fade alpha is the constant 1, which saves its operations; the phase's other numbers may be tensors.
        placed = replace(phase, alpha=self.alpha if phase.fading else 1.0, progress=self.progress)  # type: ignore[arg-type]

        def recorded() -> None:
            stats = work(state, placed, _Placed(self.asks), self.reals, self.labels)
            self.names, self.stats = list(stats), torch.stack(list(stats.values()))
            self.gradients = [(weight, weight.grad) for weight in self.weights if weight.grad is not None]

        self._touch()  # layers may keep kernels from before: the recording has to prepare its own
        try:
            self._again = record(recorded)
        finally:
            for weight in self.weights:
                weight.grad = None
            self._touch()  # and the recording's kernels change with every replay

    def replay(self, inputs: StepInputs) -> Stats:
        for ask in self.asks:
            ask.fill(inputs.draws)
        self.reals.copy_(inputs.reals)
        if self.labels is not None and inputs.labels is not None:
            self.labels.copy_(inputs.labels)
        self.alpha.fill_(inputs.phase.alpha)
        self.progress.fill_(inputs.phase.progress)
        self._again()
        self._touch()
        for weight, gradient in self.gradients:
            weight.grad = gradient
        return dict(zip(self.names, self.stats.clone(), strict=True))

    def finish(self) -> None:
        """Wait until the device is done with it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _touch(self) -> None:
        """Have layers treat their weights as changed."""
        torch.autograd.graph.increment_version(self.weights)
