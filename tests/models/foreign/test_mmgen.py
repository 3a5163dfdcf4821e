"""PGGAN checkpoints of mmgeneration and MMagic against a plain re-statement."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import mmgen_plain as plain

from growgan.core.errors import ModelError
from growgan.models.foreign.opening import open_any, open_foreign

CONFIG = """model = dict(
    type='ProgressiveGrowingGAN',
    generator=dict(type='PGGANGenerator', out_scale=16, noise_size=6{g}),
    discriminator=dict(type='PGGANDiscriminator', in_scale=16{d}),
    gan_loss=dict(type='GANLoss', gan_type='wgan'))
train_cfg = dict(use_ema=True, nkimgs_per_scale={{'4': 600, '8': 1200}})
"""


class HistoryBuffer:
    """As MMEngine's class of what it logs is pickled."""

    def mean(self) -> None:
        """A function that its pickle names."""


HistoryBuffer.__module__ = "mmengine.logging.history_buffer"
HistoryBuffer.__qualname__ = "HistoryBuffer"
HistoryBuffer.mean.__module__, HistoryBuffer.mean.__qualname__ = HistoryBuffer.__module__, "HistoryBuffer.mean"


@pytest.fixture(autouse=True)
def _mmengine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mmengine", "mmengine.logging", "mmengine.logging.history_buffer"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["mmengine.logging.history_buffer"].HistoryBuffer = HistoryBuffer  # type: ignore[attr-defined]


def make(
    fused: bool = True, labels: int = 0, widths: tuple[int, ...] = plain.WIDTHS, stddev: bool = True, size: int = 16,
    alpha: float = 1.0, magic: bool = False, g: str = "", d: str = "",
) -> dict[str, Any]:  # fmt: skip
    ema = "generator_ema.module" if magic else "generator_ema"
    parts = {
        "generator": plain.make(plain.g_shapes(6 + labels, widths, fused), 1),
        ema: plain.make(plain.g_shapes(6 + labels, widths, fused), 2),
        "discriminator": plain.make(plain.d_shapes(1 + labels, widths, 8, stddev), 3),
    }
    state = {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}
    state |= {"shown_nkimg": torch.tensor(12.5), "_curr_transition_weight": torch.tensor(alpha)}
    state |= {"_next_scale_int": torch.tensor(size, dtype=torch.int32)}
    state |= {"_curr_scale_int": torch.tensor(size, dtype=torch.int32)}
    content: dict[str, Any] = {"meta": {"config": CONFIG.format(g=g, d=d), "iter": 3}, "state_dict": state}
    if magic:
        state["generator_ema.steps"] = torch.tensor(7)
        logged = HistoryBuffer()
        logged.__dict__.update(_log_history=np.array([1.5, 2.0]), _statistics_methods={"mean": HistoryBuffer.mean})
        content["meta"] = {"cfg": content["meta"]["config"]}
        content["message_hub"] = {"log_scalars": {"train/loss": logged}, "runtime_info": {"iter": 3}}
    return content


def save(path: Path, content: Any, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def weights(content: dict[str, Any], part: str) -> dict[str, Any]:
    return {n.removeprefix(f"{part}."): v for n, v in content["state_dict"].items() if n.startswith(f"{part}.")}


def check(path: Path, content: dict[str, Any], fused: bool = True, labels: int = 0, group: int = 4) -> None:
    file = open_any(path)
    magic = any(".module." in name for name in content["state_dict"])
    ema = "generator_ema.module" if magic else "generator_ema"
    ours = {name: file.network(name) for name in ("G", "D", "G_ema")}
    random = torch.Generator().manual_seed(5)
    z, labelled = torch.randn(4, 6, generator=random), torch.eye(4)[:, :labels] if labels else None
    beside = z if labelled is None else torch.cat([z, labelled], dim=1)
    for size in file.spec.stages:
        x = torch.randn(8, 3, size, size, generator=random)
        for alpha in (0.0, 0.3, 1.0) if size > 4 else (1.0,):
            for name, theirs in (("G", "generator"), ("G_ema", ema)):
                wanted = plain.generate(weights(content, theirs), beside, size, alpha, fused)
                torch.testing.assert_close(ours[name](z, labelled, size, alpha), wanted, atol=1e-4, rtol=0)
            wanted = plain.judge(weights(content, "discriminator"), x, alpha, group)
            found = torch.cat(ours["D"](x, None, alpha), dim=1)
            torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("zipped", [True, False])
def test_both_formats(tmp_path: Path, zipped: bool) -> None:
    content = make(size=8, alpha=0.25)
    path = save(tmp_path / "net.pth", content, zipped)
    check(path, content)
    assert open_any(path).training == {"resolution": 8, "alpha": 0.25, "nimg": 12500}


@pytest.mark.parametrize("widths", [(8, 8, 4), (8, 8, 8)])
def test_a_convolution_that_is_not_fused_is_seen_or_said(tmp_path: Path, widths: tuple[int, ...]) -> None:
    content = make(fused=False, widths=widths, g=", fused_upconv=False")
    check(save(tmp_path / "net.pth", content), content, fused=False)


def test_labels_and_no_stddev(tmp_path: Path) -> None:
    content = make(labels=3, stddev=False, d=", mbstd_cfg=None")
    check(save(tmp_path / "net.pth", content), content, labels=3, group=0)


def test_a_group_size_that_is_said(tmp_path: Path) -> None:
    content = make(d=", mbstd_cfg=dict(group_size=2)")
    check(save(tmp_path / "net.pth", content), content, group=2)


def test_mmagic(tmp_path: Path) -> None:
    content = make(magic=True)
    check(save(tmp_path / "net.pth", content), content)


def test_without_a_configuration(tmp_path: Path) -> None:
    content = make()
    content["meta"] = {}
    check(save(tmp_path / "net.pth", content), content)


def test_swapped_colours(tmp_path: Path) -> None:
    path = save(tmp_path / "net.pth", make())
    as_it_is, swapped = open_foreign(path), open_foreign(path, swap_colours=True)
    z = torch.randn(2, 6, generator=torch.Generator().manual_seed(1))
    images = as_it_is.network("G")(z)
    torch.testing.assert_close(swapped.network("G")(z), images.flip(1))
    scores, other = as_it_is.network("D")(images)[0], swapped.network("D")(images.flip(1))[0]
    torch.testing.assert_close(scores, other)


@pytest.mark.parametrize(
    ("d", "why"),
    [
        (", downsample_cfg=dict(type='bilinear', scale_factor=0.5)", "a downsampling other than averaging"),
        (", conv_module_cfg=dict(act_cfg=dict(type='ReLU'))", "its own conv_module_cfg.act_cfg"),
        (", mbstd_cfg=dict(eps=1)", "another kind of minibatch stddev"),
    ],
)
def test_a_discriminator_that_ours_cannot_be_is_left_out_by_name(tmp_path: Path, d: str, why: str) -> None:
    file = open_any(save(tmp_path / "net.pth", make(d=d)))
    assert file.has("G_ema") and not file.has("D")
    assert any(why in remark and remark.startswith("D was left out") for remark in file.card["imported"]["remarks"])


def _drop(name: str) -> Any:
    return lambda content: content["state_dict"].pop(name)


CHANGES: dict[str, tuple[Any, str]] = {
    "missing": (_drop("generator_ema.conv_blocks.2.conv.bias"), "G_ema lacks the weight conv_blocks.2.conv.bias"),
    "missing in D": (_drop("discriminator.decision.linear1.bias"), "D lacks the weight decision.linear1.bias"),
    "too many": (
        lambda c: c["state_dict"].update({"generator.x.bias": torch.ones(1)}),
        "G has an unexpected weight x.bias",
    ),
    "beside": (
        lambda c: c["state_dict"].update({"encoder.bias": torch.ones(1)}),
        "an unexpected weight encoder.bias",
    ),
    "a scale": (lambda c: c["state_dict"].update(_curr_scale_int=torch.tensor(12)), "not a power of two"),
    "an alpha": (lambda c: c["state_dict"].update(_curr_transition_weight=torch.tensor(-1.0)), "between 0 and 1"),
    "a norm": (
        lambda c: c["meta"].update(config=CONFIG.format(g=", conv_module_cfg=dict(norm_cfg=None)", d="")),
        "norm_cfg",
    ),
    "a way up": (
        lambda c: c["meta"].update(config=CONFIG.format(g=", upsample_cfg=dict(type='bilinear')", d="")),
        "upsampling",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_fit_is_named(tmp_path: Path, change: str) -> None:
    content = make()
    alter, message = CHANGES[change]
    alter(content)
    with pytest.raises(ModelError) as caught:
        open_any(save(tmp_path / "net.pth", content))
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["(" * 5000, "x = " + "9" * 9000, "[" * 90 + "]" * 90, "\0", "dict(type='PGGANGenerator', **{1: 2})"]
)
def test_a_configuration_that_is_none_is_left_aside(tmp_path: Path, text: str) -> None:
    content = make()
    content["meta"]["config"] = text
    check(save(tmp_path / "net.pth", content), content)
