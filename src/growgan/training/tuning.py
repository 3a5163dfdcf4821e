"""Which algorithms compute a run's convolutions: measured before a stage begins, and kept with the run.

The choices are read from the run first, then from the user's cache, and only what neither holds is measured: so a
resumed run computes as before, bit for bit. They are written to disk before the first step that uses them.

A stage uses only the choices that its own steps need: what else is known depends on how far this or another run has
come, and would change the last digits of a grid or a measure, whose batches have other sizes.
"""

from __future__ import annotations

from collections.abc import Callable

from growgan.core.errors import RunError
from growgan.core.plan import add_to_cache, cached_plan, read_plan, write_plan
from growgan.core.runfiles import RunFiles
from growgan.core.schedule import Phase
from growgan.core.text import counted
from growgan.devices import Machine
from growgan.training.microbatches import parts
from growgan.training.state import TrainState
from growgan.training.trial_steps import TrialSteps


class Tuning:
    """The plan of one run on one machine; `machine.plan` is what its networks follow."""

    def __init__(self, run: RunFiles, machine: Machine, say: Callable[[str], None], measures: bool = True) -> None:
        self.run = run
        self.plan = machine.plan
        self.name = machine.name()
        self.say = say
        self.measures = measures and machine.device.type == "cpu"
        self.known: dict[str, str] = {}
        """Choices measured on this machine, for any stage or run."""
        self._stage: tuple[int, int] | None = None
        self._pending = False
        if not self.measures:
            return
        of, choices = read_plan(run.plan)
        if of and of != self.name:
            say(f"this run's convolution plan was measured on another setup ({of}): measuring again")
            choices = {}
        self.known = read_plan(cached_plan(self.name))[1] | choices

    def prepare(self, state: TrainState, phase: Phase) -> None:
        """Measure what the stage of `phase` needs and is not yet known, in the first process for all."""
        stage = phase.resolution, phase.minibatch
        if not self.measures or stage == self._stage:
            return
        self._stage = stage
        self.plan.choices = state.ranks.on_first(lambda: self._measured(state, phase))

    def _measured(self, state: TrainState, phase: Phase) -> dict[str, str]:
        self.plan.choices = {}
        trial, most, world = TrialSteps(state), state.config.execution.microbatch, state.ranks.world
        shares = [parts(phase.minibatch, most, state.spec, rank, world) for rank in range(world)]
        sizes = {len(part) for share in shares for part in share}
        with self.plan.measuring(self.known):
            for rows in sorted(sizes):
                for losses in (trial.d_losses, trial.g_losses):
                    for loss in losses(phase, rows):
                        loss.backward()  # type: ignore[no-untyped-call]
        for network in (state.G, state.D):
            network.zero_grad(set_to_none=True)
        if measured := len(self.plan.choices.keys() - self.known.keys()):
            self.say(f"benchmarked {counted(measured, 'convolution')} at {phase.resolution}x{phase.resolution}")
            add_to_cache(self.name, self.plan.choices)
        self.known |= self.plan.choices
        self._pending = True
        try:
            self.write_pending()
        except RunError as error:
            self.say(f"warning: {error}; training continues, but no state is saved until the plan is")
        return self.plan.choices

    def write_pending(self) -> None:
        """Write the plan if it could not be written so far. Raises `RunError` if it still cannot be."""
        if self._pending:
            write_plan(self.run.plan, self.name, self.known)
            self._pending = False
