"""Layer 1: the losses of G and D. A loss is one file and one line in `LOSSES`."""

from __future__ import annotations

from importlib import import_module

from growgan.core.config import LossConfig
from growgan.losses.base import Loss

LOSSES = {
    "wgan_gp": "growgan.losses.wgan_gp:WganGp",
    "lsgan": "growgan.losses.lsgan:Lsgan",
    "logistic": "growgan.losses.logistic:Logistic",
    "relativistic": "growgan.losses.relativistic:Relativistic",
}


def create(config: LossConfig, multi_label: bool) -> Loss:
    """The loss that `config` names. multi_label: whether labels are independent attributes rather than one class."""
    module, name = LOSSES[config.name].split(":")
    loss: Loss = getattr(import_module(module), name)(config, multi_label)
    return loss
