"""Networks as others have them can be trained here: every departure at once, on a tiny set."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from discs import SHORT

from growgan.cli.main import main
from growgan.models.native import open_model

VARIANT = {
    "widths": "6,4:10",
    "hidden": "7",
    "slope": "0.1",
    "norm_eps": "1e-6",
    "norm_eps_outside": "true",
    "first_norm": "false",
    "first_bias": "pixel",
    "tanh": "true",
    "stddev_groups": "contiguous",
    "stddev_unbiased": "true",
    "d_last_conv": "false",
    "d_fade_from": "16",
}


@pytest.mark.parametrize("loss", ["wgan_gp", "lsgan"])
def test_a_run_with_every_departure(colour_set: Path, tmp_path: Path, loss: str) -> None:
    words = [word for name, text in VARIANT.items() for word in ("--set", f"network.variant.{name}={text}")]
    words += ["--set", f"loss.name={loss}", "--set", "execution.microbatch=4"]
    run = tmp_path / "run"
    assert main(["train", "--data", str(colour_set), "--out", str(run), *SHORT, *words]) == 0
    file = open_model(sorted((run / "models").glob("*.safetensors"))[0])
    assert file.spec.variant.first_bias == "pixel" and file.spec.width(4) == 10 and file.spec.width(2) == 7
    assert file.generator()(torch.randn(2, file.spec.z_size)).abs().max() <= 1
