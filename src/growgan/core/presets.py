"""Presets: the paper's settings, the release's, and ours, each a function that returns a whole `RunConfig`.

A preset is named as ``BASE[,modifier...]``: ``celeba128,row-g`` or ``paper,no-pixelnorm``. Resolution, channels and
labels come from the data and are filled in by the command. Sources of every constant: the paper's appendix A and
Table 1, and the configurations of the TensorFlow and Theano releases; see docs/fidelity.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from growgan.core import geometry
from growgan.core.augmentation import AugmentConfig
from growgan.core.config import (
    DataConfig,
    LossConfig,
    NetworkSpec,
    OptimConfig,
    RunConfig,
    ScheduleConfig,
    SnapshotConfig,
)
from growgan.core.errors import ConfigError
from growgan.core.fields import per
from growgan.core.text import suggested


def v1_1gpu() -> RunConfig:
    """The release's preset v1-1gpu: the paper's schedule, with D's fused downsampling as the release trains it."""
    return RunConfig(
        network=NetworkSpec(stddev_group=16, d_down="pool_act"),
        schedule=ScheduleConfig(
            training_kimg=per(800),
            transition_kimg=per(800),
            total_kimg=19000,
            minibatch=per(16, {256: 14, 512: 6, 1024: 3}),
        ),
    )


def paper() -> RunConfig:
    """The paper (appendix A.1): v1-1gpu with D as the paper draws it, activation before pooling."""
    return _network(v1_1gpu(), d_down="act_pool")


def _v2(minibatch: dict[int, float], base: int, lr: dict[int, float]) -> RunConfig:
    return RunConfig(
        network=NetworkSpec(stddev_group=4, d_down="pool_act"),
        optim=OptimConfig(g_lr=per(0.001, lr), d_lr=per(0.001, lr)),
        schedule=ScheduleConfig(
            training_kimg=per(600), transition_kimg=per(600), total_kimg=12000, minibatch=per(base, minibatch)
        ),
    )


def v2_1gpu() -> RunConfig:
    """The release's default: larger minibatches and shorter stages."""
    return _v2({4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4}, 4, {1024: 0.0015})


def v2_2gpus() -> RunConfig:
    """The release's preset for two processes."""
    return _v2({4: 256, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8}, 8, {512: 0.0015, 1024: 0.002})


def v2_4gpus() -> RunConfig:
    """The release's preset for four processes."""
    return _v2({4: 512, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16}, 16, {256: 0.0015, 512: 0.002, 1024: 0.003})


def v2_8gpus() -> RunConfig:
    """The release's preset for eight processes."""
    return _v2({4: 512, 8: 256, 16: 128, 32: 64, 64: 32}, 32, {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003})


def celebahq() -> RunConfig:
    """CelebA-HQ at 1024 as in the paper's own runs (Theano version): paper, with a short ramp-up of the rates."""
    run = _network(paper(), stddev_group=None)
    return replace(run, optim=replace(run.optim, rampup_kimg=40))


def lsun() -> RunConfig:
    """An LSUN category at 256: minibatch 16 throughout, 20 million images (Theano version)."""
    return _schedule(celebahq(), minibatch=per(16), total_kimg=20000)


def celeba128() -> RunConfig:
    """CelebA at 128 as in Table 1: a quarter of the feature maps, 10 million images, minibatch 16."""
    run = _network(paper(), stddev_group=None, fmap_base=2048)
    return _schedule(run, minibatch=per(16), total_kimg=10000)


def cifar10() -> RunConfig:
    """CIFAR-10 at 32: a small network, and a gradient norm of 750 instead of 1 (appendix A.2)."""
    return RunConfig(
        network=NetworkSpec(fmap_base=4096, fmap_max=128, latent_size=128, stddev_group=None),
        loss=LossConfig(gp_target=750),
        schedule=ScheduleConfig(training_kimg=per(400), transition_kimg=per(400), total_kimg=20000),
        data=DataConfig(mirror=False),
    )


def laptop() -> RunConfig:
    """Two CPU cores and an evening: a compact network and short stages."""
    return RunConfig(
        network=NetworkSpec(fmap_base=1024, fmap_max=128, stddev_group=4, d_down="pool_act"),
        optim=OptimConfig(ema_kimg=5),
        schedule=ScheduleConfig(
            training_kimg=per(40, {4: 10, 8: 15, 16: 20}),
            transition_kimg=per(20, {8: 10, 16: 15}),
            total_kimg=300,
            tick_kimg=per(5),
        ),
        data=DataConfig(build_resolution=64),
        snapshots=SnapshotConfig(model_ticks=4),
    )


def fast() -> RunConfig:
    """Good pictures soon: cheaper techniques published since the paper, on growing networks (docs/recipes.md).

    Its learning rates are eight times the paper's: in runs this short they matter more than anything else.
    """
    # StyleGAN2-ADA's rule of thumb, 0.0002 pixels / minibatch (Karras et al. 2020), except at the lowest sizes.
    gamma = {4: 0.005, 8: 0.005, 16: 0.01, 32: 0.02, 64: 0.05, 128: 0.2, 256: 0.8, 512: 3.2, 1024: 12.8}
    return RunConfig(
        network=NetworkSpec(fmap_base=1024, fmap_max=128, stddev_group=4, d_down="pool_act"),
        loss=LossConfig(name="logistic", r1_gamma=per(12.8, gamma), r1_interval=16),
        augment=AugmentConfig(policy="colour,translation,cutout", strength="adaptive"),
        optim=OptimConfig(g_lr=per(0.008), d_lr=per(0.008), lr_end=0.3, rampup_kimg=2, ema_kimg=20, ema_rampup=0.05),
        schedule=ScheduleConfig(
            initial_resolution=8,
            training_kimg=per(150, {8: 50, 16: 80, 32: 120}),
            transition_kimg=per(50, {16: 30, 32: 40}),
            total_kimg=800,
            tick_kimg=per(10),
        ),
        data=DataConfig(build_resolution=64),
        snapshots=SnapshotConfig(model_ticks=4),
    )


def robust() -> RunConfig:
    """For few or difficult pictures and unattended runs: relativistic loss with R1 and R2, and R3GAN's schedules.

    gamma is R3GAN's at 64x64, falling from 2 to 0.2, scaled by the images' area. The learning rates start at a quarter
    of `fast`'s and fall to a quarter of that; beta2 rises.
    """
    run = fast()
    gamma = per(2, {size: 2 * (size / 64) ** 2 for size in geometry.stages(1024)})
    optim = replace(run.optim, g_lr=per(0.002), d_lr=per(0.002), lr_end=0.25, rampup_kimg=0, beta2=0.9, beta2_end=0.99)
    return replace(
        run,
        loss=LossConfig(name="relativistic", r1_gamma=gamma, gamma_end=0.1),
        optim=replace(optim, ema_kimg=0.0, ema_kimg_end=20.0, ema_rampup=0.0),
    )


def transfer() -> RunConfig:
    """Fine-tune a trained pair of networks on a few pictures (``--from``), within minutes on two cores.

    No low stages: the schedule begins where the model ended. The learning rates are the paper's; they ramp up over the
    first steps, in which a fresh Adam takes only the sign of a gradient. The average forgets the old pictures within a
    few thousand images. Everything D sees is augmented; otherwise it soon memorises a hundred pictures (Zhao et al.
    2020). The best snapshot must be picked by eye: SWD to a hundred pictures keeps falling while faces fall apart
    (docs/training.md), so none is chosen automatically and the newest twenty are kept.
    """
    return RunConfig(
        network=laptop().network,
        augment=AugmentConfig(policy="colour,translation,cutout"),
        optim=OptimConfig(rampup_kimg=1, ema_kimg=2),
        schedule=ScheduleConfig(
            training_kimg=per(20),
            transition_kimg=per(20),
            total_kimg=24,
            minibatch=per(16, {256: 8, 512: 4, 1024: 4}),
            tick_kimg=per(2),
        ),
        data=DataConfig(build_resolution=64),
        snapshots=SnapshotConfig(model_ticks=1, keep=20, measure="none"),
    )


def tiny() -> RunConfig:
    """4x4 to 16x16 in seconds: for tests, not for pictures."""
    return RunConfig(
        network=NetworkSpec(fmap_base=64, fmap_max=16, stddev_group=4, d_down="pool_act"),
        optim=OptimConfig(ema_kimg=0.2),
        schedule=ScheduleConfig(
            training_kimg=per(0.2), transition_kimg=per(0.2), total_kimg=1.2, minibatch=per(8), tick_kimg=per(0.2)
        ),
        data=DataConfig(build_resolution=16),
        snapshots=SnapshotConfig(model_ticks=1, keep=3, measure_images=64),
    )


def _network(run: RunConfig, **values: Any) -> RunConfig:
    return replace(run, network=replace(run.network, **values))


def _schedule(run: RunConfig, **values: Any) -> RunConfig:
    return replace(run, schedule=replace(run.schedule, **values))


def _row(run: RunConfig, *, stddev: bool = True, wscale: bool = True, pixelnorm: bool = True) -> RunConfig:
    """A row of Table 1: what it does not yet add is off; without equalised learning rates the rate is a tenth."""
    run = _network(run, fmap_base=2048, stddev_group=None if stddev else 0, wscale=wscale, pixelnorm=pixelnorm)
    run = _schedule(run, total_kimg=10000, minibatch=per(16))
    lr = per(0.001 if wscale else 0.0001)
    return replace(run, optim=replace(run.optim, g_lr=lr, d_lr=lr, rampup_kimg=0))


def _row_h(run: RunConfig) -> RunConfig:
    """Table 1's last row: the full network, trained until it converges (here: as long as the LSUN runs)."""
    return _network(_schedule(_row(run), total_kimg=20000), fmap_base=8192)


PRESETS: dict[str, Callable[[], RunConfig]] = {
    "paper": paper,
    "v1-1gpu": v1_1gpu,
    "v2-1gpu": v2_1gpu,
    "v2-2gpus": v2_2gpus,
    "v2-4gpus": v2_4gpus,
    "v2-8gpus": v2_8gpus,
    "celebahq": celebahq,
    "celeba128": celeba128,
    "lsun": lsun,
    "cifar10": cifar10,
    "laptop": laptop,
    "fast": fast,
    "robust": robust,
    "transfer": transfer,
    "tiny": tiny,
}

MODIFIERS: dict[str, Callable[[RunConfig], RunConfig]] = {
    "no-growing": lambda run: _schedule(run, growing=False),
    "no-fade": lambda run: _schedule(run, transition_kimg=per(0)),
    "no-pixelnorm": lambda run: _network(run, pixelnorm=False),
    "no-wscale": lambda run: _network(run, wscale=False),
    "no-leakyrelu": lambda run: _network(run, leaky_relu=False),
    "no-stddev": lambda run: _network(run, stddev_group=0),
}

ROWS: dict[str, Callable[[RunConfig], RunConfig]] = {
    "row-d": lambda run: _row(run, stddev=False, wscale=False, pixelnorm=False),
    "row-e": lambda run: _row(run, wscale=False, pixelnorm=False),
    "row-f": lambda run: _row(run, pixelnorm=False),
    "row-g": _row,
    "row-h": _row_h,
}
"""Rows of Table 1. Rows a to c and e* need layers that the final networks do not have, and are not offered."""

ROW_PRESETS = ("celeba128", "lsun")


def preset(name: str) -> RunConfig:
    """The configuration that ``BASE[,modifier...]`` stands for.

    Raises `ConfigError` for unknown names, and for rows of Table 1 with presets other than `ROW_PRESETS`.
    """
    base, *modifiers = (part.strip() for part in name.split(","))
    if base not in PRESETS:
        raise ConfigError(f"unknown preset {base!r}; {suggested(base, PRESETS)}choose from: {', '.join(PRESETS)}")
    run = PRESETS[base]()
    for modifier in modifiers:
        if modifier in ROWS and base in ROW_PRESETS:
            run = ROWS[modifier](run)
        elif modifier in MODIFIERS:
            run = MODIFIERS[modifier](run)
        elif modifier in ROWS:
            raise ConfigError(f"{modifier!r} is a row of Table 1 and works only with {' and '.join(ROW_PRESETS)}")
        else:
            known = (*MODIFIERS, *ROWS)
            raise ConfigError(
                f"unknown modifier {modifier!r}; {suggested(modifier, known)}choose from: {', '.join(known)}"
            )
    return replace(run, preset=name)
