"""How a run's convolutions are computed: measured before a stage begins, and kept with the run.

The choices are read from the run first, then from the user's cache, and only what neither holds is measured: so a
resumed run computes as before, bit for bit. They are on the disk before the first step that uses them.
"""

from __future__ import annotations

from collections.abc import Callable

from growgan.core.errors import RunError
from growgan.core.plan import add_to_cache, cached_plan, read_plan, write_plan
from growgan.core.runfiles import RunFiles
from growgan.core.schedule import Phase
from growgan.devices import Machine
from growgan.training.rehearsal import Rehearsal
from growgan.training.state import TrainState


class Tuning:
    """The plan of one run on one machine; `machine.plan` is what its networks follow."""

    def __init__(self, run: RunFiles, machine: Machine, say: Callable[[str], None], measures: bool = True) -> None:
        self.run = run
        self.plan = machine.plan
        self.name = machine.name()
        self.say = say
        self.measures = measures and machine.device.type == "cpu"
        self._ready: set[tuple[int, int]] = set()
        self._owed = False
        if not self.measures:
            return
        of, choices = read_plan(run.plan)
        if of and of != self.name:
            say(f"this run's plan was measured on another machine ({of}): measuring anew")
            choices = {}
        self.plan.choices = read_plan(cached_plan(self.name))[1] | choices

    def prepare(self, state: TrainState, phase: Phase) -> None:
        """Measure what the stage of `phase` needs and is not known yet, in the first process for all."""
        stage = phase.resolution, phase.minibatch
        if not self.measures or stage in self._ready:
            return
        self._ready.add(stage)
        self.plan.choices = state.ranks.decide(lambda: self._measured(state, phase))

    def _measured(self, state: TrainState, phase: Phase) -> dict[str, str]:
        before = len(self.plan.choices)
        rehearsal, sizes = Rehearsal(state), {len(part) for part in state.parts(phase)}
        with self.plan.measuring():
            for rows in sorted(sizes):
                for losses in (rehearsal.d_losses, rehearsal.g_losses):
                    for loss in losses(phase, rows):
                        loss.backward()  # type: ignore[no-untyped-call]
        for network in (state.G, state.D):
            network.zero_grad(set_to_none=True)
        if len(self.plan.choices) > before:
            size = f"{phase.resolution}x{phase.resolution}"
            self.say(f"measured {len(self.plan.choices) - before} ways to convolve at {size}")
            add_to_cache(self.name, self.plan.choices)
        self._owed = True
        try:
            self.write_owed()
        except RunError as error:
            self.say(f"warning: {error}; the run goes on, and no state is saved before the plan is")
        return self.plan.choices

    def write_owed(self) -> None:
        """Write the plan if it could not be written so far. Raises `RunError` if that still holds."""
        if self._owed:
            write_plan(self.run.plan, self.name, self.plan.choices)
            self._owed = False
