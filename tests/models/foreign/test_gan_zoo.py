"""pytorch_GAN_zoo's checkpoints, in both of PyTorch's formats, against a plain re-statement."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import gan_zoo_plain as plain

from growgan.core.errors import ModelError
from growgan.models.foreign.opening import open_any
from growgan.sampling.model import load


class BaseConfig:
    """As the program's class is pickled."""


BaseConfig.__module__, BaseConfig.__qualname__ = "models.utils.config", "BaseConfig"


@pytest.fixture(autouse=True)
def _zoo(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("models", "models.utils", "models.utils.config"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["models.utils.config"].BaseConfig = BaseConfig  # type: ignore[attr-defined]


def make(
    depths: tuple[int, ...] = plain.DEPTHS,
    latent: int = 6,
    channels: int = 3,
    outputs: int = 1,
    stddev: bool = True,
    **said: Any,
) -> dict[str, Any]:
    config = BaseConfig()
    usual = {"lossCriterion": "WGANGP", "leakyReluLeak": 0.2, "equalizedlR": True, "alpha": 0, "categoryVectorDim": 0}
    usual |= {"depthScale0": depths[0], "depthOtherScales": list(depths[1:]), "attribKeysOrder": None}
    config.__dict__.update(usual | {"perChannelNormalization": True, "learningRate": 0.001} | said)
    return {
        "config": config,
        "netG": plain.make(plain.g_shapes(latent, depths, channels), 1),
        "netD": plain.make(plain.d_shapes(outputs, depths, channels, stddev), 2),
        "avgG": plain.make(plain.g_shapes(latent, depths, channels), 3),
    }


def save(path: Path, content: Any, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def check(path: Path, content: dict[str, Any], labels: int = 0, **how: Any) -> None:
    file = open_any(path)
    random = torch.Generator().manual_seed(5)
    z = torch.randn(4, 6, generator=random)
    labelled = torch.eye(6)[:4, :labels] if labels else None
    stddev = how.pop("stddev", True)
    ours = {name: file.network(name) for name in ("G", "D", "G_ema")}
    for size in file.spec.stages:
        x = torch.randn(6, file.spec.channels, size, size, generator=random)
        for alpha in (0.0, 0.3, 1.0) if size > 4 else (1.0,):
            for name, theirs in (("G", "netG"), ("G_ema", "avgG")):
                beside = z if labelled is None else torch.cat([z, labelled], dim=1)
                wanted = plain.generate(content[theirs], beside, size, alpha, **how)
                torch.testing.assert_close(ours[name](z, labelled, size, alpha), wanted, atol=1e-4, rtol=0)
            for n in (1, 4, 6):
                d_how = {key: value for key, value in how.items() if key != "tanh"}
                wanted = plain.judge(content["netD"], x[:n], alpha, stddev=stddev, **d_how)
                found = torch.cat(ours["D"](x[:n], None, alpha), dim=1)
                torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("zipped", [True, False])
def test_both_formats(tmp_path: Path, zipped: bool) -> None:
    content = make()
    check(save(tmp_path / "net.pt", content, zipped), content)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("zipped", [True, False])
def test_every_protocol_gives_the_same(tmp_path: Path, zipped: bool, protocol: int) -> None:
    content, path = make(), tmp_path / "net.pt"
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    found = open_any(path).network("G_ema").state_dict()
    wanted = open_any(save(tmp_path / "usual.pt", content)).network("G_ema").state_dict()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize(
    ("made", "how"),
    [
        ({"depths": (8, 12, 3), "stddev": False}, {"stddev": False}),
        ({"lossCriterion": "DCGAN", "leakyReluLeak": 0.1}, {"tanh": True, "slope": 0.1}),
        ({"equalizedlR": False, "depths": (4, 4)}, {"equalized": False}),
        ({"channels": 1, "depths": (8,)}, {}),
    ],
)
def test_what_its_config_can_say(tmp_path: Path, made: dict[str, Any], how: dict[str, Any]) -> None:
    content = make(**made)
    if not how.get("equalized", True):
        for state in ("netG", "netD", "avgG"):
            content[state] = {name: 0.3 * value for name, value in content[state].items()}
    check(save(tmp_path / "net.pt", content), content, **how)


def test_names_of_early_files(tmp_path: Path) -> None:
    content = make()
    for state in ("netG", "netD", "avgG"):
        content[state] = {name.replace(".module.", "."): value for name, value in content[state].items()}
    found = open_any(save(tmp_path / "a.pt", content)).network("D").state_dict()
    wanted = open_any(save(tmp_path / "b.pt", make())).network("D").state_dict()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize(("alpha", "ours"), [(0, 1.0), (np.float64(0.25), 0.75), (1.0, 0.0)])
def test_alpha_runs_the_other_way(tmp_path: Path, alpha: Any, ours: float) -> None:
    content = make(alpha=alpha)
    model = load(save(tmp_path / "net.pt", content))
    z = torch.randn(2, 6, generator=torch.Generator().manual_seed(1))
    wanted = plain.generate(content["avgG"], z, 16, ours)
    torch.testing.assert_close(model(z), wanted, atol=1e-4, rtol=0)


def test_one_attribute_is_classes(tmp_path: Path) -> None:
    keys = {"Main": {"order": 0, "values": ["a", "b", "c"]}}
    content = make(latent=9, outputs=4, categoryVectorDim=3, attribKeysOrder=keys)
    path = save(tmp_path / "net.pt", content)
    check(path, content, labels=3)
    file = open_any(path)
    assert (file.spec.num_labels, file.spec.multi_label, file.spec.z_size) == (3, False, 6)
    assert load(path).labels([0], "abc".index("b")) == ["b"]


def test_several_attributes_have_one_value_each(tmp_path: Path) -> None:
    keys = {"Sex": {"order": 1, "values": ["M", "W"]}, "Land": {"order": 0, "values": ["en", "fr"]}}
    content = make(latent=10, outputs=5, categoryVectorDim=4, attribKeysOrder=keys)
    path = save(tmp_path / "net.pt", content)
    check(path, content, labels=4)
    model = load(path)
    assert model.file.training["class_names"] == ["Land: en", "Land: fr", "Sex: M", "Sex: W"]
    rows = np.array(model.file.training["labels"]["rows"])
    assert rows.shape == (4, 4) and (rows[:, :2].sum(1) == 1).all() and (rows[:, 2:].sum(1) == 1).all()
    assert len(model.sample(2)) == 2


def _drop(state: str, name: str) -> Any:
    return lambda content: content[state].pop(name)


CHANGES: dict[str, tuple[Any, str]] = {
    "missing": (_drop("avgG", "formatLayer.module.bias"), "G_ema lacks the weight formatLayer.bias"),
    "missing in D": (_drop("netD", "decisionLayer.module.weight"), "D lacks the weight decisionLayer.weight"),
    "too many": (
        lambda c: c["netG"].update({"styleLayer.weight": torch.ones(2)}),
        "weight styleLayer.weight",
    ),
    "another shape": (
        lambda c: c["netG"].update({"groupScale0.0.module.bias": torch.ones(3)}),
        "4x4.conv.bias of shape [3]",
    ),
    "not numbers": (
        lambda c: c["netG"].update({"groupScale0.0.module.bias": 3}),
        "no array under groupScale0.0.bias",
    ),
    "no config": (lambda c: c.pop("config"), "lacks the config"),
    "no norm": (lambda c: c["config"].__dict__.update(perChannelNormalization=False), "perChannelNormalization off"),
    "a loss": (lambda c: c["config"].__dict__.update(lossCriterion="Secret"), "the loss 'Secret'"),
    "classes": (lambda c: c["config"].__dict__.update(categoryVectorDim=2), "lacks the attribKeysOrder"),
    "alpha": (lambda c: c["config"].__dict__.update(alpha=2.0), "is not between 0 and 1"),
    "slope": (lambda c: c["config"].__dict__.update(leakyReluLeak="x"), "slope should be a number"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_fit_is_named(tmp_path: Path, change: str) -> None:
    content = make()
    alter, message = CHANGES[change]
    alter(content)
    with pytest.raises(ModelError) as caught:
        open_any(save(tmp_path / "net.pt", content))
    assert message in str(caught.value) and "\n" not in str(caught.value)
