"""A training job: from what the user asked for to a run that trains. Here the parts of the house meet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from growgan.core.config import RunConfig
from growgan.core.errors import ConfigError, DataError, Elsewhere, RunError
from growgan.core.fields import replaced
from growgan.core.geometry import grid_shape
from growgan.core.presets import preset as find_preset
from growgan.core.progress import Progress, clock
from growgan.core.schedule import Schedule
from growgan.data.dataset import ImageSet
from growgan.data.parallel import count_cores
from growgan.data.prepare import prepare
from growgan.data.sampler import Loader, Sampler
from growgan.devices import Machine, set_up
from growgan.sampling import images
from growgan.sampling.latents import label_distribution
from growgan.training import checkpoint
from growgan.training.feed import Feed
from growgan.training.forecast import Forecast
from growgan.training.health import Trouble
from growgan.training.loop import train
from growgan.training.measure import check_measure, make_measure
from growgan.training.memory import check_memory
from growgan.training.ranks import ALONE, Ranks, check_device
from growgan.training.rehearsal import seconds_per_image
from growgan.training.report import Report
from growgan.training.run import Override, RunFolder, resumed
from growgan.training.shares import fewest_groups
from growgan.training.snapshots import Snapshots
from growgan.training.state import TrainState
from growgan.training.stop import Stop
from growgan.training.tuning import Tuning, settled_threads


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for."""

    data: Path | None
    """A finished set, or any folder or zip of pictures; None = as before, when a run is resumed."""
    out: Path
    """The run folder."""
    preset: str | None = None
    """``BASE[,modifier...]``; None = what suits the machine."""
    overrides: Sequence[Override] = field(default_factory=tuple)
    """Fields that were named, with their values as text."""
    hours: float | None = None
    """Scale the schedule so that the run takes about as long."""
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr)
    """Gets lines for the user."""


@dataclass(frozen=True)
class Job:
    """A configuration and the set it was made for."""

    run: RunFolder
    config: RunConfig
    dataset: ImageSet
    machine: Machine
    say: Callable[[str], None]
    ranks: Ranks = ALONE

    @property
    def schedule(self) -> Schedule:
        """The phases of the run."""
        return Schedule(self.config.schedule, self.config.optim, self.config.network.resolution)


def plan(request: Request, ranks: Ranks = ALONE) -> Job:
    """Settle the configuration, without changing anything in the run folder. Raises the errors a user can cause.

    The first process of the run settles it for all; each opens the data for itself.
    """
    run = RunFolder(request.out)
    if not ranks.first:
        request = replace(request, say=lambda line: None)
    stored, config = ranks.decide(lambda: _asked(request, run))
    dataset = ranks.in_turns(lambda: _open_data(request, config, ranks))
    try:
        fit = _resumed_data if stored else partial(_fitted, world=ranks.world)
        config = ranks.decide(lambda: fit(config, dataset, request))
        machine = ranks.together(lambda: _joined(config, dataset, request, ranks))
    except BaseException:
        dataset.close()
        raise
    return Job(run, config, dataset, machine, request.say, ranks)


def _asked(request: Request, run: RunFolder) -> tuple[bool, RunConfig]:
    """Whether there is a run to go on with, and the configuration of what is asked for."""
    if request.data and request.data.is_dir() and request.out.resolve().is_relative_to(request.data.resolve()):
        raise ConfigError(f"--out {request.out} lies inside --data: the run's own pictures would be trained on")
    run.check()
    if run.exists():
        return True, resumed(run.read_config(), request.overrides, request.preset)
    return False, _started(request)


def _joined(config: RunConfig, dataset: ImageSet, request: Request, ranks: Ranks) -> Machine:
    """The machine of this process, if it can take part in the run."""
    if dataset.content_hash != config.data.content_hash:
        raise DataError(f"{dataset.path} is not the same set on every machine: names, sizes, times or labels differ")
    machine = set_up(config.execution)
    check_device(ranks, machine.device)
    # A run that was begun by one process has settled on threads for that one: several would wait for each other.
    if ranks.local_world > 1 and machine.device.type == "cpu" and not _named(request, "execution.threads"):
        torch.set_num_threads(min(torch.get_num_threads(), max(1, count_cores() // ranks.local_world)))
    return machine


@dataclass(frozen=True)
class Outcome:
    """How a job left its run."""

    nimg: int
    """Images shown by now."""
    ended: bool
    """Whether the schedule has come to its end."""
    signal: int | None
    """The signal that stopped it, if one did."""


def work(job: Job, hours: float | None = None) -> Outcome:
    """Train, from the start or from where the run was left."""
    if hours is not None and not hours > 0:
        raise ConfigError(f"--hours must be above 0, not {hours:g}")
    ranks = job.ranks
    ranks.in_turns(lambda: check_measure(job.config))
    with ExitStack() as stack, Stop() as stop:
        exists = ranks.decide(lambda: _take_over(job.run, stack))
        ranks.together(lambda: check_memory(job.config, job.schedule, job.machine))
        if not exists:
            job = replace(job, config=ranks.decide(lambda: _settled_threads(job)))
            if hours is not None:
                job = replace(job, config=_lasting(job, hours))
            ranks.decide(lambda: _begin(job))
        elif hours is not None:
            job.say("the length was settled at the first start; --kimg changes it")
        return _train(job, stop)


def _take_over(run: RunFolder, stack: ExitStack) -> bool:
    """Make the run folder and lock it until `stack` is left. Returns whether there is a run in it."""
    run.create()
    stack.enter_context(run.locked())
    run.clear_leftovers()
    return run.exists()


def _train(job: Job, stop: Stop) -> Outcome:
    config, schedule, ranks = job.config, job.schedule, job.ranks
    processes = f", {ranks.world} processes" if ranks.world > 1 else ""
    job.say(job.machine.describe() + processes)
    state = TrainState(config, job.machine, ranks)
    if _restored(job, state):
        ranks.decide(lambda: job.run.forget_after(state.nimg))
        if state.nimg:
            job.say(f"going on from {state.nimg / 1000:g} kimg, after {clock(state.seconds)} of training")
    else:
        ranks.decide(lambda: _save_first(job, state))
    _warn_of_idle(job, state.nimg)
    table = job.dataset.labels if config.network.num_labels else None
    labels = label_distribution(table, config.network.num_labels, config.network.multi_label)
    measure = ranks.together(lambda: make_measure(config, job.dataset, labels, job.machine.device, stop))
    names = list(job.dataset.class_names) if labels else []
    tuning = Tuning(job.run, job.machine, job.say, config.execution.plan == "measured")
    snapshots = Snapshots(job.run, config, labels, names, measure)
    report = Report(job.run, schedule, snapshots, Forecast(schedule, config.network), state.nimg, tuning, ranks.first)
    try:
        if state.nimg == 0:
            report.write_first(state, schedule.at(0))
        with Loader(job.dataset, Sampler(len(job.dataset), config.seed)) as loader:
            feed = Feed(loader, table, config, job.machine, ranks)
            while True:
                try:
                    ended = train(state, schedule, feed, report, stop)
                    break
                except Trouble as trouble:
                    _go_back(job, state, report, trouble)
    finally:
        report.close()
    return Outcome(state.nimg, ended, stop.asked)


def _restored(job: Job, state: TrainState) -> bool:
    """Become the newest state of the run that is whole, in every process. Returns whether there was one."""
    found = state.ranks.decide(lambda: checkpoint.restore_newest(job.run, state, job.say))
    if found:
        tensors, counters = state.ranks.spread(state.tensors(), state.counters())
        if not state.ranks.first:
            state.restore(tensors, counters)
    return found


def _save_first(job: Job, state: TrainState) -> None:
    """Write the state before the first step: the disk is tried now, not at the first tick."""
    job.run.check_untrained()
    checkpoint.save(job.run, state, job.config.snapshots.keep_states)


def _warn_of_idle(job: Job, nimg: int) -> None:
    """Say it if some processes will have nothing to do: a run may go on with more of them than it was begun with."""
    groups, resolution = fewest_groups(job.schedule, job.config.network, nimg)
    if job.ranks.world > groups:
        idle = f"{job.ranks.world - groups} of {job.ranks.world} processes"
        job.say(f"warning: {idle} idle at {resolution}x{resolution}, whose minibatch has {groups} groups to share")


def _go_back(job: Job, state: TrainState, report: Report, trouble: Trouble) -> None:
    """Become the last good state, with lower rates. Raises `RunError` where that is not wanted, or was done enough."""
    health, backs, rate = job.config.health, state.went_back, state.rate
    kept = report.keep_trouble(state, job.schedule.at(state.held), str(trouble))
    Ended = RunError if state.ranks.first else Elsewhere  # all meet it at once; one says it
    if health.policy == "stop" or backs >= health.most_backs:
        tried = f" after going back {backs} times" if backs else ""
        remedy = "--set health.policy=back goes on from it with lower rates" if health.policy == "stop" else ""
        stopped = f"stopped{tried}; the state saved last is kept"
        raise Ended(f"{trouble}{kept}; {stopped}{': ' if remedy else ''}{remedy}") from trouble
    if not _restored(job, state):
        raise Ended(f"{trouble}{kept}; there is no state to go back to") from trouble
    state.went_back, state.rate = backs + 1, rate * health.back_rate
    report.rewind(state.nimg)
    report.save(state, job.schedule.at(state.held), grid=False)  # a kill is not to bring the old rates back
    to = f"back to {state.nimg / 1000:g} kimg, and on with {state.rate:g} times the schedule's rates"
    report.say(f"warning: {trouble}{kept}; {to}")


def _begin(job: Job) -> None:
    """Write what a run folder has from the start."""
    columns, rows = grid_shape(job.config.network.resolution)
    chosen = Sampler(len(job.dataset), job.config.seed).indices(0, columns * rows)
    pixels = job.dataset.images(chosen, job.config.network.resolution)
    images.save_png(job.run.reals, images.make_grid(pixels, columns))
    job.run.write_data(job.dataset.fingerprint())
    job.run.write_config(job.config)


def _started(request: Request) -> RunConfig:
    """The configuration that a new run starts from: preset, then flags and ``--set`` in their order."""
    name = request.preset or ("v2-1gpu" if torch.cuda.is_available() else "laptop")
    config = find_preset(name)
    for path, text in request.overrides:
        if path == "preset" or path in ("data.path", "data.content_hash"):
            raise ConfigError(f"{path} cannot be set: there is --preset, and --data")
        config = replaced(config, path, text)
    return config


def _open_data(request: Request, config: RunConfig, ranks: Ranks) -> ImageSet:
    path = request.data or (Path(config.data.path) if config.data.path else None)
    if path is None:
        raise ConfigError("a new run needs --data: a folder or zip of pictures")
    asked = config.network.resolution if _named(request, "network.resolution") else None
    progress = Progress if ranks.first else None
    return prepare(path, resolution=asked, at_most=config.data.build_resolution, progress=progress, say=request.say)


def _fitted(config: RunConfig, dataset: ImageSet, request: Request, world: int = 1) -> RunConfig:
    """The configuration with what comes from the data: size, channels, labels; unless it was named.

    world: processes that have to share its minibatches.
    """
    network, labelled = config.network, config.data.labels and dataset.num_labels > 0
    facts: dict[str, Any] = {
        "resolution": dataset.resolution,
        "channels": dataset.channels,
        "num_labels": dataset.num_labels if labelled else 0,
        "multi_label": dataset.multi_label if labelled else False,
    }
    for name, value in facts.items():
        if name in ("channels", "num_labels", "multi_label") and _named(request, f"network.{name}"):
            if getattr(network, name) != value:
                raise DataError(f"{dataset.path} has {name} = {value}, not {getattr(network, name)}")
        elif not _named(request, f"network.{name}"):
            network = replace(network, **{name: value})
    path = str((request.data or dataset.path).resolve())
    # The wish is kept, not what came of it, so that a resume finds the set which was built for it.
    built, asked = Path(path) != dataset.path.resolve(), _named(request, "network.resolution")
    data = replace(
        config.data,
        path=path,
        content_hash=dataset.content_hash,
        build_resolution=network.resolution if built and asked else config.data.build_resolution,
    )
    config = replace(config, network=network, data=data)
    config.check_whole()
    _check_groups(config, world)
    return config


def _check_groups(config: RunConfig, world: int) -> None:
    """Raise `ConfigError` if a stage's minibatch has fewer groups than there are processes to share it."""
    schedule = Schedule(config.schedule, config.optim, config.network.resolution)
    groups, resolution = fewest_groups(schedule, config.network)
    if world <= groups:
        return
    fitting = [name for name, most in (("v2-2gpus", 2), ("v2-4gpus", 4), ("v2-8gpus", 8)) if world <= most]
    remedy = f"--preset {fitting[0] if fitting else f'v2-8gpus --minibatch {4 * world}'} has enough"
    raise ConfigError(
        f"{world} processes cannot share a minibatch at {resolution}x{resolution}, which has {groups} "
        f"group{'s' * (groups > 1)} of images that are compared with each other: {remedy}"
    )


def _resumed_data(config: RunConfig, dataset: ImageSet, request: Request) -> RunConfig:
    """The stored configuration, if the set is still the one that the run was started with."""
    if dataset.content_hash != config.data.content_hash:
        changes = RunFolder(request.out).name_changes(dataset.fingerprint())
        raise RunError(f"{dataset.path} is not the set that this run was started with: {changes}")
    path = str(request.data.resolve()) if request.data else config.data.path
    return replace(config, data=replace(config.data, path=path))


def _named(request: Request, path: str) -> bool:
    return any(name == path for name, _ in request.overrides)


def _settled_threads(job: Job) -> RunConfig:
    """The configuration with the number of threads that is fastest here, unless it was named."""
    config, most = job.config, torch.get_num_threads()
    if job.ranks.world > 1:  # torchrun has settled it: one, or what OMP_NUM_THREADS says
        return config
    if config.execution.threads is not None or job.machine.device.type != "cpu" or most == 1:
        return config
    threads = settled_threads(config, job.schedule, job.machine)
    if threads < most:
        job.say(f"training on {threads} of {most} threads: faster when it was measured; --threads {most} changes it")
    torch.set_num_threads(threads)
    return replace(config, execution=replace(config.execution, threads=threads))


def _lasting(job: Job, hours: float) -> RunConfig:
    """The configuration with its schedule scaled to last about `hours` on this machine."""
    job.say("measuring this machine ...")
    rates = seconds_per_image(job.config, job.schedule, job.machine, job.ranks)
    seconds = sum((stage.end - stage.start) * rates[stage.resolution] for stage in job.schedule.stages)
    factor = hours * 3600 / seconds
    scaled = replace(job.config.schedule, scale=job.config.schedule.scale * factor)
    kimg = scaled.total_kimg * scaled.scale
    job.say(f"{kimg:.4g} kimg for about {clock(hours * 3600)} of training ({factor:.3g} times the preset's)")
    return replace(job.config, schedule=scaled)
