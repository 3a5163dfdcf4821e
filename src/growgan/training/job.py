"""A training job: from the user's request to a training run. All parts of the package meet here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import torch

from growgan.core.config import RunConfig
from growgan.core.errors import DataError, RunError
from growgan.core.geometry import grid_shape
from growgan.core.progress import clock
from growgan.core.schedule import Schedule
from growgan.core.text import counted
from growgan.data.dataset import ImageSet
from growgan.data.parallel import count_cores
from growgan.data.sampler import Loader, Sampler
from growgan.devices import Machine, set_up
from growgan.sampling import images
from growgan.sampling.latents import label_distribution
from growgan.training import checkpoint, loop, settings, start
from growgan.training.feed import Feed
from growgan.training.fit_to_machine import scaled_to_hours, with_fastest_threads
from growgan.training.forecast import Forecast
from growgan.training.health import TrainingFailure
from growgan.training.measure import check_measure, make_measure
from growgan.training.memory import check_memory
from growgan.training.microbatches import fewest_groups
from growgan.training.ranks import ALONE, Ranks, check_device
from growgan.training.report import Report
from growgan.training.request import Request
from growgan.training.resident import Resident, check_resident
from growgan.training.run import RunFolder
from growgan.training.snapshots import Snapshots
from growgan.training.state import TrainState
from growgan.training.stop import Asked, Stop
from growgan.training.tuning import Tuning

FEW = 1000
"""Pictures below which a run from scratch gets a warning."""


@dataclass(frozen=True)
class Job:
    """A configuration and the dataset that it was made for."""

    run: RunFolder
    config: RunConfig
    dataset: ImageSet
    machine: Machine
    say: Callable[[str], None]
    ranks: Ranks = ALONE
    hours: float | None = None
    """How long a new run should last."""

    @property
    def schedule(self) -> Schedule:
        """The phases of the run."""
        return Schedule(self.config.schedule, self.config.optim, self.config.network.resolution)


def prepare(request: Request, ranks: Ranks = ALONE) -> Job:
    """Settle the configuration, without changing anything in the run folder. Raises `UserError`.

    The first process of the run settles it for all; each opens the data itself.
    """
    run = RunFolder(request.out)
    if not ranks.first:
        request = replace(request, say=lambda line: None)
    stored, config = ranks.on_first(lambda: settings.stored_or_new(request, run))
    dataset = ranks.local_first(lambda: settings.open_data(request, config, ranks.first))
    try:
        fit = settings.check_data if stored else partial(settings.fit_to_data, world=ranks.world)
        config = ranks.on_first(lambda: fit(config, dataset, request))
        machine = ranks.on_all(lambda: _joined(config, dataset, request, ranks))
    except BaseException:
        dataset.close()
        raise
    return Job(run, config, dataset, machine, request.say, ranks, request.hours)


def _joined(config: RunConfig, dataset: ImageSet, request: Request, ranks: Ranks) -> Machine:
    """The machine of this process, if it can take part in the run."""
    if dataset.content_hash != config.data.content_hash:
        raise DataError(f"{dataset.path} differs between machines: names, sizes, times or labels differ")
    machine = set_up(config.execution)
    check_device(ranks, machine.device)
    # A run started by one process has the number of threads for that one: several would wait for each other.
    if ranks.local_world > 1 and machine.device.type == "cpu" and not request.names("execution.threads"):
        torch.set_num_threads(min(torch.get_num_threads(), max(1, count_cores() // ranks.local_world)))
    return machine


@dataclass(frozen=True)
class Outcome:
    """How a job left its run."""

    nimg: int
    """Images shown by now."""
    ended: bool
    """Whether the schedule is complete."""
    signal: int | None
    """The signal that stopped it, if one did."""


def train(job: Job, stop: Stop | None = None) -> Outcome:
    """Train, from the start or from where the run left off. stop: stops it from elsewhere; None = only signals do."""
    ranks, hours = job.ranks, job.hours
    ranks.local_first(lambda: check_measure(job.config))
    with ExitStack() as stack, stop or Stop(said=ranks.first) as stop:
        exists = ranks.on_first(lambda: _take_over(job.run, stack))
        ranks.on_all(lambda: check_memory(job.config, job.schedule, job.machine, ranks, len(job.dataset)))
        ranks.on_all(lambda: check_resident(job.config, job.schedule, job.machine, job.dataset, ranks))
        if not exists:
            config = ranks.on_first(lambda: with_fastest_threads(job.config, job.schedule, job.machine, ranks, job.say))
            if hours is not None:
                tuning = Tuning(job.run, job.machine, job.say, config.execution.plan == "measured")
                try:
                    config = scaled_to_hours(
                        config, job.schedule, job.machine, ranks, job.say, tuning.prepare, hours, stop
                    )
                except Asked:
                    return Outcome(0, False, stop.asked)
            job = replace(job, config=config)
            ranks.on_first(lambda: _begin(job))
        else:
            ranks.on_first(lambda: _keep_changes(job))
            if hours is not None:
                length = f"{job.schedule.total / 1000:g} kimg"
                job.say(f"the run's length is already set to {length}; change it with --kimg, without --hours")
        return _train_locked(job, stop)


def _take_over(run: RunFolder, stack: ExitStack) -> bool:
    """Create the run folder and lock it until `stack` is closed. Returns whether there is a run in it."""
    run.create()
    stack.enter_context(run.locked())
    run.clear_leftovers()
    return run.exists()


def _train_locked(job: Job, stop: Stop) -> Outcome:
    config, schedule, ranks = job.config, job.schedule, job.ranks
    processes = f", {ranks.world} processes" if ranks.world > 1 else ""
    size = config.network.resolution
    shown = f"{counted(len(job.dataset), 'picture')} of {size}x{size}, from {config.data.path}"
    job.say(f"{job.machine.describe()}{processes}; {shown}")
    last = schedule.stages[-1].resolution
    if last < config.network.resolution:
        own = f"the run ends after {schedule.total / 1000:g} kimg, at {last}x{last} of {size}x{size}"
        job.say(f"warning: {own}: raise --kimg, or use --hours to fit the whole growth into a time")
    state = TrainState(config, job.machine, ranks, keep=True)
    if _restored(job, state):
        ranks.on_first(lambda: job.run.forget_after(state.nimg))
        if state.nimg:
            job.say(f"resuming from {state.nimg / 1000:g} kimg, after {clock(state.seconds)} of training")
    else:
        ranks.on_first(lambda: _begin_state(job, state))
        _warn_of_few(job)
        if config.start.model:  # otherwise all have drawn the same weights
            _share(state)
    _warn_of_idle(job, state.nimg)
    table = job.dataset.labels if config.network.num_labels else None
    labels = label_distribution(table, config.network.num_labels, config.network.multi_label)
    measure = ranks.on_all(lambda: make_measure(config, job.dataset, labels, job.machine.device, stop))
    names = list(job.dataset.class_names) if labels else []
    tuning = Tuning(job.run, job.machine, job.say, config.execution.plan == "measured")
    snapshots = Snapshots(job.run, config, labels, names, measure)
    forecast = Forecast(schedule, config.network)
    report = Report(job.run, schedule, snapshots, forecast, state.nimg, tuning, ranks.first, tell=job.say)
    try:
        if state.nimg == 0:
            report.write_first(state, schedule.at(0))
        with Loader(job.dataset, Sampler(len(job.dataset), config.seed)) as loader:
            pictures = Resident(loader, config, job.machine, report.say, stop)
            feed = Feed(pictures, table, config, job.machine, ranks)
            while True:
                try:
                    ended = loop.train(state, schedule, feed, report, stop)
                    break
                except TrainingFailure as failure:
                    _roll_back(job, state, report, failure)
    finally:
        report.close()
    return Outcome(state.nimg, ended, stop.asked)


def _restored(job: Job, state: TrainState) -> bool:
    """Restore the run's newest intact state in every process. Returns whether there was one."""
    found = state.ranks.on_first(lambda: checkpoint.restore_newest(job.run, state, job.say))
    if found:
        _share(state)
    return found


def _share(state: TrainState) -> None:
    """Give every process the state of the first one."""
    tensors, counters = state.ranks.broadcast_state(state.tensors(), state.counters())
    if not state.ranks.first:
        state.restore(tensors, counters)


def _begin_state(job: Job, state: TrainState) -> None:
    """Initialise the state and save it before the first step: the disk is tried now, not at the first tick."""
    job.run.check_untrained()
    start.begin(state, job.dataset.class_names, job.say)
    checkpoint.save(job.run, state, job.config.snapshots.keep_states)


def _warn_of_few(job: Job) -> None:
    """Warn if there are too few pictures to train from scratch."""
    if len(job.dataset) < FEW and not job.config.start.model:
        few = f"{counted(len(job.dataset), 'picture')} {'is' if len(job.dataset) == 1 else 'are'} too few"
        few += " to train from scratch"
        job.say(f"warning: {few}: use --from MODEL to start from a trained one, such as faces-128")


def _warn_of_idle(job: Job, nimg: int) -> None:
    """Warn if some processes will be idle: a run may resume with more of them than it was started with."""
    groups, resolution = fewest_groups(job.schedule, job.config.network, nimg)
    if job.ranks.world > groups:
        idle = f"{job.ranks.world - groups} of {job.ranks.world} processes"
        job.say(f"warning: {idle} idle at {resolution}x{resolution}, where the minibatch has {groups} groups to share")


def _roll_back(job: Job, state: TrainState, report: Report, failure: TrainingFailure) -> None:
    """Restore the last good state, at lower rates. Raises `RunError` if that is disabled, or was done too often."""
    health, rollbacks, rate = job.config.health, state.rollbacks, state.rate
    kept = report.keep_failure(state, job.schedule.at(state.held), str(failure))
    if health.policy == "stop" or rollbacks >= health.max_rollbacks:
        tried = f" after {counted(rollbacks, 'rollback')}" if rollbacks else ""
        remedy = "use --set health.policy=rollback to resume at lower rates" if health.policy == "stop" else ""
        stopped = f"stopped{tried}; the last saved state is kept"
        said = f"{failure}{kept}; {stopped}{': ' if remedy else ''}{remedy}"
        raise state.ranks.raised_by_all(RunError(said)) from failure
    if not _restored(job, state):
        raise state.ranks.raised_by_all(RunError(f"{failure}{kept}; there is no state to go back to")) from failure
    state.rollbacks, state.rate = rollbacks + 1, rate * health.rollback_rate
    report.rewind(state.nimg)
    # If the run is killed now, the old rates must not come back.
    report.save(state, job.schedule.at(state.held), grid=False, leaving=False)
    to = f"back to {state.nimg / 1000:g} kimg, resuming at {state.rate:g} times the scheduled learning rates"
    report.say(f"warning: {failure}{kept}; {to}")


def _keep_changes(job: Job) -> None:
    try:
        job.run.keep_changes(job.config)
    except RunError as error:  # a full disk must not end a run
        job.say(f"warning: the run's new length or data path could not be saved: {error}")


def _begin(job: Job) -> None:
    """Write the files that a run folder has from the start."""
    columns, rows = grid_shape(job.config.network.resolution)
    chosen = Sampler(len(job.dataset), job.config.seed).indices(0, columns * rows)
    pixels = job.dataset.images(chosen, job.config.network.resolution)
    images.save_png(job.run.reals, images.make_grid(pixels, columns))
    job.run.write_data(job.dataset.fingerprint())
    job.run.write_config(job.config)
