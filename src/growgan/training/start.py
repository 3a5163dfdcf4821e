"""Start a run from a trained pair of networks instead of from scratch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch

from growgan.core.config import LossConfig, NetworkSpec, OptimConfig, RunConfig, StartConfig
from growgan.core.errors import ConfigError, ModelError, RunError
from growgan.core.fields import from_json, per
from growgan.core.geometry import LOWEST, stage_name, stages
from growgan.core.text import composed, counted
from growgan.models import hub
from growgan.models.foreign.opening import ImportedFile, open_any
from growgan.models.native import NETWORKS, ModelFile
from growgan.networks.transfer import take_over
from growgan.sampling.sources import find, is_shipped
from growgan.training.state import TrainState

OTHERWISE = {"G": "G_ema", "G_ema": "G", "D": "D"}
"""Which network is used if a file lacks the one of that name."""


def open_pair(source: str) -> ModelFile:
    """The model that `source` names (see `growgan.load`). Raises `ModelError` if it is not a G with its D."""
    path = find(source)
    if path.suffix == ".onnx":
        raise ModelError(f"{path} is an ONNX file, which holds only G: --from needs a G and its D")
    file = open_any(path)
    if not file.has("D"):
        why = f" ({'; '.join(file.remarks)})" if isinstance(file, ImportedFile) and file.remarks else ""
        raise ModelError(f"{path} holds no D{why}: --from needs a G and its D")
    if not (file.has("G") or file.has("G_ema")):
        raise ModelError(f"{path} holds no G: --from needs a G and its D")
    return file


def config_from_model(config: RunConfig, source: str, file: ModelFile, own_loss: bool) -> RunConfig:
    """A preset's configuration with the networks of a model, at the size that they have reached.

    own_loss: use the loss that the pair was trained with, if its file says so; D's scores are on that loss's scale.
    """
    top = _settled(file)
    return replace(
        config,
        network=replace(file.spec, resolution=file.resolution),
        loss=(_loss(file) if own_loss else None) or config.loss,
        schedule=replace(config.schedule, initial_resolution=top),
        optim=_averaged(config.optim),
        data=replace(config.data, build_resolution=file.resolution),
        start=StartConfig(model=_name(source), content_hash=file.hash, license=_license(file), resolution=top),
    )


def fit_to_model(config: RunConfig, file: ModelFile) -> RunConfig:
    """The configuration with latents of the model's length, after network fields were set.

    Stages may be several times as wide as the model's. Raises `ConfigError` if layers of the model have other shapes in
    these networks for any reason but width, resolution, channels or labels.
    """
    spec, own = config.network, file.spec
    if spec.latent_size is None and spec.z_size != own.z_size:
        spec = replace(spec, latent_size=own.z_size)
    for size in (LOWEST // 2, *own.stages):
        if spec.width(size) % own.width(size):
            which = f"stage {stage_name(size)}" if size >= LOWEST else "D's first dense layer"
            raise ConfigError(
                f"the network fields you set do not fit {file.path}: {which} has {own.width(size)} feature "
                f"maps in it, not {spec.width(size)}; a width must stay, or become a multiple"
            )
    _check_shapes(spec, file)
    if config.start.freeze_d and any(spec.width(size) > own.width(size) for size in own.stages):
        raise ConfigError("--freeze-d (start.freeze_d) freezes stages of D, so none can be widened")
    check_frozen(config, own.channels, spec.channels)
    return replace(config, network=_widened(spec, own.resolution))


def check_frozen(config: RunConfig, before: int, channels: int) -> None:
    """Raise `ConfigError` if D's frozen first layers would see colours or an alpha that they cannot know.

    Grey they see as three equal colours.
    """
    if config.start.freeze_d and channels > before:
        raise ConfigError(
            f"--freeze-d (start.freeze_d) freezes D's fromRGB, trained on {counted(before, 'channel')}: it would never "
            f"learn the {channels} of these pictures"
        )


def _check_shapes(spec: NetworkSpec, file: ModelFile) -> None:
    own = file.spec
    alike = replace(
        spec,
        resolution=own.resolution,
        channels=own.channels,
        num_labels=own.num_labels,
        multi_label=own.multi_label,
        fmap_base=own.fmap_base,
        fmap_decay=own.fmap_decay,
        fmap_max=own.fmap_max,
        variant=replace(spec.variant, widths=own.variant.widths, hidden=own.variant.hidden),
    )
    if alike == own:
        return
    for name in ("G", "D"):
        with torch.device("meta"):
            wanted, found = (
                {key: list(value.shape) for key, value in NETWORKS[name](some).state_dict().items()}
                for some in (alike, own)
            )
        for key in sorted(wanted.keys() | found.keys()):
            if wanted.get(key) != found.get(key):
                shapes = f"{found.get(key, 'missing')}, not {wanted.get(key, 'absent')}"
                raise ConfigError(
                    f"the network fields you set do not fit {file.path}: its {name}.{key} is {shapes}; "
                    "omit them to take the model's"
                )


def fit_to_data(config: RunConfig) -> RunConfig:
    """The configuration once its resolution is settled: if it is below the model's, the start is limited to it."""
    start, network, schedule = config.start, config.network, config.schedule
    if start.resolution is None:
        return config
    return replace(
        config,
        schedule=replace(schedule, initial_resolution=min(schedule.initial_resolution, network.resolution)),
        start=replace(start, resolution=min(start.resolution, network.resolution)),
    )


def check_same(source: str, start: StartConfig, say: Callable[[str], None]) -> None:
    """Raise `RunError` if a resumed run was not started from the model that the command names.

    A model of the name that the run knows may have changed or be gone: the run continues with its own weights.
    """
    if not start.model:
        raise RunError(f"this run was started from scratch, not from {source}; use a new --out")
    name = _name(source)
    if name == start.model:
        with suppress(ModelError):
            if Path(name).exists() and open_pair(name).hash != start.content_hash:
                say(f"{name} is no longer the model this run was started from; the run continues with its own weights")
    elif open_pair(source).hash != start.content_hash:
        raise RunError(f"this run was started from {start.model}, not {source}; use a new --out")


def begin(state: TrainState, class_names: Sequence[str], say: Callable[[str], None]) -> None:
    """Fill a new state with the networks that its configuration starts from.

    Raises `RunError` if the model is no longer the one that the configuration was made for.
    """
    config, start = state.config, state.config.start
    if start.resolution is None:
        return
    file = open_pair(start.model)
    if file.hash != start.content_hash:
        raise RunError(f"{start.model} has changed since this run was started from it; use a new --out")
    labels = _same_labels(file, state.spec, class_names)
    for name, network in (("G", state.G), ("D", state.D), ("G_ema", state.G_ema)):
        held = name if file.has(name) else OTHERWISE[name]
        take_over(network, file.network(held), _highest(file, state.spec), labels, config.seed)
    _rescale(state, file, _loss(file), config.loss)
    say(_describe(config, file, labels))


@torch.no_grad()
def _rescale(state: TrainState, file: ModelFile, before: LossConfig | None, now: LossConfig) -> None:
    """Bring D's scores to the slope that the gradient penalty requires in a run of another size.

    The penalty's target is a norm with respect to the *full-size* image (see `losses.wgan_gp`): at a given stage the
    native norm grows with the final size of the run. Without this D would first have to unlearn its scale, against the
    full penalty.
    """
    if before is None or not before.name == now.name == "wgan_gp":
        return
    factor = (state.spec.resolution * now.gp_target) / (file.spec.resolution * before.gp_target)
    if factor != 1:
        score = state.D.stage(LOWEST).dense1
        score.weight[0] *= factor
        score.bias[0] *= factor


def _averaged(optim: OptimConfig) -> OptimConfig:
    """A half-life that does not rise: otherwise the model's average, its best network, would soon be lost."""
    if optim.ema_kimg is None or optim.ema_kimg_end is None:
        return replace(optim, ema_rampup=0.0)
    return replace(optim, ema_rampup=0.0, ema_kimg=max(optim.ema_kimg, optim.ema_kimg_end))


def _settled(file: ModelFile) -> int:
    """The highest stage that is fully faded in: a model saved during a fade repeats it with half-trained layers."""
    return file.resolution if file.alpha == 1 else max(file.resolution // 2, LOWEST)


def _highest(file: ModelFile, spec: NetworkSpec) -> int:
    """The highest stage that is transferred."""
    return min(file.resolution, spec.resolution)


def _loss(file: ModelFile) -> LossConfig | None:
    """The loss that the model was trained with, if its file says so."""
    known = file.training.get("loss_settings") or {"name": file.training.get("loss")}
    try:
        return from_json(LossConfig, known)
    except ConfigError:
        return None


def _same_labels(file: ModelFile, spec: NetworkSpec, names: Sequence[str]) -> tuple[int | None, ...]:
    """For each label of the run, the model's with the same name (or number, without names); None if there is none."""
    known, names = ([composed(name) for name in some] for some in (file.training.get("class_names") or [], names))
    if file.spec.multi_label != spec.multi_label:
        return (None,) * spec.num_labels
    if known and names:
        return tuple(known.index(name) if name in known else None for name in names[: spec.num_labels])
    return tuple(k if spec.num_labels == file.spec.num_labels else None for k in range(spec.num_labels))


def _widened(spec: NetworkSpec, top: int) -> NetworkSpec:
    """Add widths above stage `top`, the model's last, to an imported network that lists its own: halved each time."""
    widths = spec.variant.widths
    new = [size for size in stages(spec.resolution) if size > top and widths and size not in dict(widths.at)]
    if widths is None or not new:
        return spec
    more = {size: max(1, spec.width(top) * top // size) for size in new}
    return replace(spec, variant=replace(spec.variant, widths=per(widths.base, dict(widths.at) | more)))


def _name(source: str) -> str:
    """The model's name in config.json: an absolute path, or a name that is valid everywhere."""
    return source if hub.is_address(source) or is_shipped(source) else str(Path(source).resolve())


def _license(file: ModelFile) -> str:
    """The licence on the model's card, or that of the model it started from; a card may hold anything."""
    found = file.card.get("license") or file.training.get("parent", {}).get("license") or ""
    return found if isinstance(found, str) else ""


def _describe(config: RunConfig, file: ModelFile, labels: Sequence[int | None]) -> str:
    """One line on what is transferred and what is not."""
    spec, before, top = config.network, file.spec, config.start.resolution or LOWEST
    parts = [f"stages up to {stage_name(_highest(file, spec))} transferred"]
    if spec.resolution > top:
        parts.append(f"those above {stage_name(top)} fade in")
    if spec.resolution < _settled(file):
        parts.append(f"toRGB and fromRGB of {stage_name(top)} as last trained at that size")
    wider = [stage_name(s) for s in stages(_highest(file, spec)) if spec.width(s) > before.width(s)]
    if wider:
        parts.append(f"{', '.join(wider)} widened")
    if spec.channels != before.channels:
        parts.append(f"toRGB and fromRGB adapted from {before.channels} to {spec.channels} channels")
    if spec.num_labels or before.num_labels:
        kept = len(labels) - labels.count(None)
        own = f"{kept} of {spec.num_labels} labels are among" if spec.num_labels else "no labels, instead of"
        parts.append(f"{own} its {before.num_labels}")
    if config.start.frozen:
        parts.append(f"D frozen at {', '.join(map(stage_name, config.start.frozen))}")
    if config.start.license:
        parts.append(f"model licence: {config.start.license}")
    return f"starts from {config.start.model} ({file.describe()}): {'; '.join(parts)}"
