"""The configuration of a job: from the command and, where that is silent, a preset, a model and the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from growgan.core.config import RunConfig
from growgan.core.errors import ConfigError, DataError, RunError
from growgan.core.fields import replaced
from growgan.core.presets import preset as find_preset
from growgan.core.progress import Progress, Silent
from growgan.core.runfiles import is_run
from growgan.core.schedule import Schedule
from growgan.core.training_config import LONGEST_KIMG
from growgan.data.dataset import ImageSet
from growgan.data.prepare import prepare
from growgan.devices import usual_preset
from growgan.networks.variants import stddev_group_size
from growgan.training import start
from growgan.training.microbatches import fewest_groups
from growgan.training.request import Request
from growgan.training.run import LENGTH, RunFolder, resumed

SETTLED = {
    "preset": "--preset",
    "data.path": "--data",
    "data.content_hash": "--data",
    "start.model": "--from",
    "start.content_hash": "--from",
    "start.license": "--from",
    "start.resolution": "--from",
}
"""Fields that record the inputs, with the flags that set them."""


def stored_or_new(request: Request, run: RunFolder) -> tuple[bool, RunConfig]:
    """Whether there is a run to resume, and the requested configuration."""
    if request.data and request.data.is_dir() and request.out.resolve().is_relative_to(request.data.resolve()):
        raise ConfigError(f"--out {request.out} is inside --data: the run's own pictures would be trained on")
    if request.data and is_run(request.data):
        raise ConfigError(f"--data {request.data} is a run folder; use --from to start from its model")
    run.check()
    if not run.exists():
        return False, _new(request)
    stored = run.read_config()
    if request.start is not None:
        start.check_same(request.start, stored.start, request.say)
    return True, resumed(stored, request.overrides, request.preset, request.hours is not None)


def _new(request: Request) -> RunConfig:
    """The configuration that a new run starts from: preset, model, then flags and ``--set`` in their order."""
    name = request.preset or (usual_preset(request.overrides) if request.start is None else "transfer")
    config = find_preset(name)
    file = None
    if request.start is not None:
        if find_preset(name.partition(",")[0]).network != config.network:
            raise ConfigError(f"--preset {name} changes the networks, which --from takes from the model")
        file = start.open_pair(request.start)
        config = start.config_from_model(config, request.start, file, own_loss=request.preset is None)
    for path, text in request.overrides:
        if path in SETTLED:
            raise ConfigError(f"{path} cannot be set: use {SETTLED[path]}")
        config = replaced(config, path, text)
    return config if file is None else start.fit_to_model(config, file)


def open_data(request: Request, config: RunConfig, first: bool) -> ImageSet:
    """The dataset to train on. first: whether this process is the one that shows progress."""
    path = request.data or (Path(config.data.path) if config.data.path else None)
    if path is None:
        raise ConfigError("a new run needs --data: a folder or zip of pictures")
    if request.data is None and not path.exists():
        raise DataError(f"{path}, this run's data, no longer exists: set --data to its new path")
    # A resumed run needs the dataset that it had, however that was requested.
    goes_on = config.built_resolution if config.data.content_hash else None
    wanted = goes_on or (config.network.resolution if request.names("network.resolution") else None)
    return prepare(
        path,
        resolution=wanted,
        at_most=config.data.build_resolution,
        hint="; use --resolution for another size",
        at_least=None if goes_on else wanted,  # a smaller one is reported as a change of the run's data
        progress=Progress if first else Silent,
        say=request.say,
    )


def fit_to_data(config: RunConfig, dataset: ImageSet, request: Request, world: int = 1) -> RunConfig:
    """The configuration with what comes from the data, unless it was set: size, channels, labels.

    A run that starts from a model keeps the model's size, unless the data is smaller.

    world: processes that have to share its minibatches.
    """
    network, labelled = config.network, config.data.labels and dataset.num_labels > 0
    start.check_frozen(config, network.channels, dataset.channels)
    facts: dict[str, Any] = {
        "resolution": min(dataset.resolution, network.resolution) if config.start.model else dataset.resolution,
        "channels": dataset.channels,
        "num_labels": dataset.num_labels if labelled else 0,
        "multi_label": dataset.multi_label if labelled else False,
    }
    for name, value in facts.items():
        if name != "resolution" and request.names(f"network.{name}"):
            if getattr(network, name) != value:
                raise DataError(f"{dataset.path} has {name} = {value}, not {getattr(network, name)}")
        elif not request.names(f"network.{name}"):
            network = replace(network, **{name: value})
    path = str((request.data or dataset.path).resolve())
    # The request is stored, not its outcome, so that a resume finds the dataset that was built for it.
    built, wanted = Path(path) != dataset.path.resolve(), request.names("network.resolution")
    data = replace(
        config.data,
        path=path,
        content_hash=dataset.content_hash,
        build_resolution=network.resolution if built and wanted else config.data.build_resolution,
    )
    config = _long_enough(start.fit_to_data(replace(config, network=network, data=data)), request)
    config.check_whole()
    _check_groups(config, world)
    _warn_of_lone_pictures(config, request)
    _warn_of_no_augmentation(config, request)
    return config


def check_data(config: RunConfig, dataset: ImageSet, request: Request) -> RunConfig:
    """The stored configuration. Raises `RunError` if the dataset is not the one that the run was started with."""
    if dataset.content_hash != config.data.content_hash:
        changes = RunFolder(request.out).name_changes(dataset.fingerprint())
        wrong = f"{request.data or config.data.path} is not the dataset this run was started with: {changes}"
        other = f"train on other pictures with --from {request.out} and a new --out"
        raise RunError(f"{wrong}; pass the original one, or {other}")
    path = str((request.data or Path(config.data.path)).resolve())
    return replace(config, data=replace(config.data, path=path))


def _long_enough(config: RunConfig, request: Request) -> RunConfig:
    """The configuration, long enough to finish the largest size unless a length was set: a preset may be made for less.

    Also without growing, since comparisons with and without it have equal lengths (docs/fidelity.md).
    """
    if request.names(LENGTH):
        return config
    size, schedule = config.network.resolution, config.schedule
    endless = replace(schedule, growing=True, scale=1.0, total_kimg=LONGEST_KIMG)
    needed = Schedule(endless, config.optim, size).stages[-1].faded / 1000 + schedule.training_kimg(size)
    if needed <= schedule.total_kimg:
        return config
    if request.hours is None and schedule.scale == 1:
        usual = f"the preset's {schedule.total_kimg:g}"
        request.say(f"{needed:g} kimg instead of {usual}, to finish {size}x{size}; --kimg or --hours changes it")
    return replace(config, schedule=replace(schedule, total_kimg=needed))


def _warn_of_lone_pictures(config: RunConfig, request: Request) -> None:
    """Warn if some stage's minibatch has no groups to compare: the largest divisor of 7 up to 4 is 1."""
    spec, schedule = config.network, Schedule(config.schedule, config.optim, config.network.resolution)
    for phase in map(schedule.trained, schedule.stages) if spec.has_stddev and spec.stddev_group != 1 else ():
        if phase.minibatch > 1 and stddev_group_size(spec.variant, phase.minibatch, spec.stddev_group) == 1:
            at = f"{phase.resolution}x{phase.resolution} a minibatch of {phase.minibatch}"
            remedy = f"use a multiple of {spec.stddev_group} or of 2"
            request.say(f"warning: at {at} has no groups for minibatch stddev: {remedy}")


def _warn_of_no_augmentation(config: RunConfig, request: Request) -> None:
    """Warn if augmentation was configured but not turned on: its strength alone does not do that."""
    named = [name for name, _ in request.overrides if name.startswith("augment.")]
    if named and not config.augment.changes and "augment.policy" not in named:
        remedy = "--set augment.policy=colour,translation,cutout turns augmentation on"
        request.say(f"warning: {named[0]} has no effect while augment.policy is none: {remedy}")


def _check_groups(config: RunConfig, world: int) -> None:
    """Raise `ConfigError` if a stage's minibatch has fewer groups than there are processes to share it."""
    schedule = Schedule(config.schedule, config.optim, config.network.resolution)
    groups, resolution = fewest_groups(schedule, config.network)
    if world <= groups:
        return
    fitting = [name for name, most in (("v2-2gpus", 2), ("v2-4gpus", 4), ("v2-8gpus", 8)) if world <= most]
    remedy = f"use --preset {fitting[0] if fitting else f'v2-8gpus --minibatch {4 * world}'}"
    if groups == 1 and not config.preset.startswith("v"):  # with other minibatches, rates and D: another experiment
        remedy = f"start one process, or {remedy}, which is another recipe"
    if config.start.model:  # whose groups are the model's
        remedy = f"use --set network.stddev_group=4 --minibatch {4 * world}"
    raise ConfigError(
        f"{world} processes cannot share a minibatch at {resolution}x{resolution}, which has {groups} "
        f"group{'s' * (groups > 1)} of images for minibatch stddev: {remedy}"
    )
