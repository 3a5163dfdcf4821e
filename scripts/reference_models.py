"""The reference models: the pictures that each is trained on, how it is trained, and what its card says."""

from __future__ import annotations

from dataclasses import dataclass

FAST = ("--preset", "fast")
SPARSELY = ("--set", "snapshots.model_ticks=5", "--set", "snapshots.keep=5")
GROWN_ON = (
    *("--preset", "transfer", "--set", "augment.policy=none"),
    *("--set", "loss.name=logistic", "--set", "loss.r1_gamma=0.1,64:0.05", "--set", "loss.r1_interval=16"),
    *("--set", "optim.g_lr=0.008", "--set", "optim.d_lr=0.008", "--set", "optim.lr_end=0.3"),
    *("--set", "optim.rampup_kimg=2", "--set", "optim.ema_kimg=10"),
    *("--set", "schedule.training_kimg=600,64:2", "--set", "schedule.transition_kimg=30"),
    *SPARSELY,
)
"""How faces-128 was grown from faces-64."""
FINISHED = (
    *("--preset", "transfer", "--set", "augment.policy=none"),
    *("--set", "loss.name=logistic", "--set", "loss.r1_gamma=0.5", "--set", "loss.r1_interval=16"),
    *("--set", "optim.g_lr=0.005", "--set", "optim.d_lr=0.005", "--set", "optim.lr_end=0.1"),
    *("--set", "optim.rampup_kimg=2", "--set", "optim.ema_kimg=10"),
    *SPARSELY,
)
"""How it was then continued, at falling rates."""
FEW_PICTURES = (
    *("--preset", "transfer", "--set", "augment.strength=adaptive", "--minibatch", "16"),
    *("--set", "loss.name=logistic", "--set", "loss.r1_interval=16"),
    *SPARSELY,
)
"""What both runs of faces-256 share: CelebA-HQ's set at hand has a tenth of the pictures of CelebA's."""
GROWN_TO_256 = (
    *FEW_PICTURES,
    *("--set", "loss.r1_gamma=0.8,128:0.3", "--set", "optim.ema_kimg=5"),
    *("--set", "optim.g_lr=0.006", "--set", "optim.d_lr=0.006", "--set", "optim.lr_end=0.5"),
    *("--set", "schedule.training_kimg=600,128:1", "--set", "schedule.transition_kimg=10"),
)
"""As faces-256 was grown on from faces-128."""
FINISHED_256 = (
    *FEW_PICTURES,
    *("--set", "loss.r1_gamma=0.8", "--set", "optim.ema_kimg=8", "--set", "optim.rampup_kimg=2"),
    *("--set", "optim.g_lr=0.005", "--set", "optim.d_lr=0.005", "--set", "optim.lr_end=0.1"),
)
"""As it continued from there, at falling rates."""

WIDTHS = {"cpu": ("1024", "128"), "gpu": ("2048", "256")}
"""fmap_base and fmap_max, by kind of device."""
MINIBATCH = {"cpu": (), "gpu": ("--minibatch", "64")}
"""Small steps leave a large GPU idle (docs/performance.md)."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Where a model's pictures come from."""

    about: str
    """For the card, after the number of pictures trained on."""
    terms: str
    license: str
    build: tuple[str, ...]
    """Arguments of `growgan data build`, other than the resolution."""
    by_folder: bool = False
    """Whether the source has parts `train` and `test`; else files whose name ends in 7 are held out."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A reference model."""

    title: str
    pictures: Pictures
    resolution: int
    kimg: dict[str, int]
    """Length of the run, by kind of device."""
    train: tuple[str, ...] = FAST
    before: tuple[str, ...] = ()
    """Arguments of a preceding run, including its length, from whose last network training continues."""
    parent: str | None = None
    """A shipped model from which training continues."""


CELEBA = Pictures(
    about="of CelebA (Liu et al. 2015), its aligned and cropped form, cut to the box 25,57,153,185. Files whose "
    "CelebA id ends in 7 were held out",
    terms="CelebA is for non-commercial research; its pictures are of real people",
    license="for research, non-commercial, after CelebA's terms",
    build=("--crop", "25,57,153,185"),
)
CELEBAHQ = Pictures(
    about="of CelebA-HQ (Karras et al. 2018) at 512x512, framed as CelebA's. Files whose name ends in 7 were held out",
    terms="CelebA-HQ is for non-commercial research; its pictures are of real people",
    license="for research, non-commercial, after CelebA's terms",
    build=("--crop", "0.066,0.1,0.937,0.973"),
)
CIFAR10 = Pictures(
    about="of CIFAR-10's training part (Krizhevsky 2009); from JPEG files they are not bit-exact",
    terms="No terms are stated with the set; used here for non-commercial research",
    license="for research, non-commercial",
    build=("--labels", "folders"),
    by_folder=True,
)

RECIPES = {
    "faces-64": Recipe(title="Faces at 64x64", pictures=CELEBA, resolution=64, kimg={"cpu": 1500, "gpu": 15000}),
    "faces-128": Recipe(
        title="Faces at 128x128",
        pictures=CELEBA,
        resolution=128,
        kimg={"cpu": 160, "gpu": 10000},
        before=(*GROWN_ON, "--kimg", "196"),
        train=FINISHED,
        parent="faces-64",
    ),
    "cifar10": Recipe(
        title="CIFAR-10",
        pictures=CIFAR10,
        resolution=32,
        kimg={"cpu": 700, "gpu": 20000},
        train=(*FAST, "--set", "data.labels=false"),
    ),
    "cifar10-classes": Recipe(
        title="CIFAR-10 by class", pictures=CIFAR10, resolution=32, kimg={"cpu": 300, "gpu": 10000}, parent="cifar10"
    ),
    "faces-256": Recipe(
        title="Faces at 256x256",
        pictures=CELEBAHQ,
        resolution=256,
        kimg={"cpu": 64, "gpu": 5000},
        before=(*GROWN_TO_256, "--kimg", "44"),
        train=FINISHED_256,
        parent="faces-128",
    ),
}
"""Reference models by name. Lengths for a GPU are written but not yet tried."""
