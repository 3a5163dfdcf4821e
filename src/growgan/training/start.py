"""Where a run's networks come from when it does not start from nothing: a trained pair, with which it goes on."""

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
"""Which network is taken where a file does not hold the one of the name."""


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


def starting_from(config: RunConfig, source: str, file: ModelFile, own_loss: bool) -> RunConfig:
    """A preset's configuration with the networks of a model, at the size that these have reached.

    own_loss: take the loss that the pair was trained with, where its file tells; D's scores are on that loss's scale.
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


def fitted_to_model(config: RunConfig, file: ModelFile) -> RunConfig:
    """The configuration, with latents of the model's length, once its network fields have been named.

    Stages may be several times as wide as the model's. Raises `ConfigError` if layers of the model have other shapes
    in these networks, whatever their pictures and beside the width.
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
    """Raise `ConfigError` if a D whose first layers stand still is to see colours, or an alpha, that it cannot.

    Grey it sees as three equal colours.
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


def fitted_to_data(config: RunConfig) -> RunConfig:
    """The configuration once its resolution is settled: a smaller one than the model's cuts the start short."""
    start, network, schedule = config.start, config.network, config.schedule
    if start.resolution is None:
        return config
    return replace(
        config,
        schedule=replace(schedule, initial_resolution=min(schedule.initial_resolution, network.resolution)),
        start=replace(start, resolution=min(start.resolution, network.resolution)),
    )


def check_same(source: str, start: StartConfig, say: Callable[[str], None]) -> None:
    """Raise `RunError` if a run that is taken up was not started from the model that the command names.

    Under the name that the run knows the model may have changed since, or be gone: the run goes on with what it has.
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
    """Give a state that is new the networks that its configuration starts from.

    Raises `RunError` if the model is not the one any more that the configuration was made for.
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
    """Bring D's scores onto the slope that the gradient penalty asks for in a run of another size.

    It asks for a norm by the *full-size* image (see `losses.wgan_gp`): at one stage the native norm grows with the
    size that the run ends with. Without this D would first have to unlearn its scale, against the full penalty.
    """
    if before is None or not before.name == now.name == "wgan_gp":
        return
    factor = (state.spec.resolution * now.gp_target) / (file.spec.resolution * before.gp_target)
    if factor != 1:
        score = state.D.stage(LOWEST).dense1
        score.weight[0] *= factor
        score.bias[0] *= factor


def _averaged(optim: OptimConfig) -> OptimConfig:
    """A half-life that does not rise: it would do away with the model's average, which is its best network."""
    if optim.ema_kimg is None or optim.ema_kimg_end is None:
        return replace(optim, ema_rampup=0.0)
    return replace(optim, ema_rampup=0.0, ema_kimg=max(optim.ema_kimg, optim.ema_kimg_end))


def _settled(file: ModelFile) -> int:
    """The highest stage whose layers are faded in: a fade in which the model is goes on from half-trained layers."""
    return file.resolution if file.alpha == 1 else max(file.resolution // 2, LOWEST)


def _highest(file: ModelFile, spec: NetworkSpec) -> int:
    """The highest stage that is taken over."""
    return min(file.resolution, spec.resolution)


def _loss(file: ModelFile) -> LossConfig | None:
    """The loss that the model was trained with, as far as its file tells."""
    known = file.training.get("loss_settings") or {"name": file.training.get("loss")}
    try:
        return from_json(LossConfig, known)
    except ConfigError:
        return None


def _same_labels(file: ModelFile, spec: NetworkSpec, names: Sequence[str]) -> tuple[int | None, ...]:
    """For each label of the run the model's that means the same: of the same name, or without names of its number."""
    known, names = ([composed(name) for name in some] for some in (file.training.get("class_names") or [], names))
    if file.spec.multi_label != spec.multi_label:
        return (None,) * spec.num_labels
    if known and names:
        return tuple(known.index(name) if name in known else None for name in names[: spec.num_labels])
    return tuple(k if spec.num_labels == file.spec.num_labels else None for k in range(spec.num_labels))


def _widened(spec: NetworkSpec, top: int) -> NetworkSpec:
    """Widths for stages above `top`, the model's last, of an imported network that lists its own: halved each time."""
    widths = spec.variant.widths
    new = [size for size in stages(spec.resolution) if size > top and widths and size not in dict(widths.at)]
    if widths is None or not new:
        return spec
    more = {size: max(1, spec.width(top) * top // size) for size in new}
    return replace(spec, variant=replace(spec.variant, widths=per(widths.base, dict(widths.at) | more)))


def _name(source: str) -> str:
    """What config.json calls the model: a path from the root, or a name that is the same everywhere."""
    return source if hub.is_address(source) or is_shipped(source) else str(Path(source).resolve())


def _license(file: ModelFile) -> str:
    """What the model's card says of its licence, or that of the model which it began as; a card is anybody's text."""
    found = file.card.get("license") or file.training.get("parent", {}).get("license") or ""
    return found if isinstance(found, str) else ""


def _describe(config: RunConfig, file: ModelFile, labels: Sequence[int | None]) -> str:
    """What is taken over and what is not, in a line."""
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
