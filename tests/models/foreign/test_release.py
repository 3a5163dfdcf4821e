"""The authors' TensorFlow pickles: every protocol, fused or not, labels, fades; against a plain re-statement."""

from __future__ import annotations

import io
import pickle
import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from oracles import release_plain as plain

from growgan.core.errors import ModelError
from growgan.models.foreign.opening import open_any
from growgan.sampling.model import load

BASE = plain.BASE


class Network:
    """As the release's class is pickled."""

    def __init__(self, kind: str, kwargs: dict[str, Any], seed: int, lod: float = 0.0, name: str = "") -> None:
        self.kwargs, self.weights = kwargs, plain.make(kwargs, seed, kind)
        self.state = {
            "version": 2,
            "name": name or kind,
            "static_kwargs": kwargs,
            "build_module_src": "raise SystemExit('it was run')",
            "build_func_name": f"{kind}_paper",
            "variables": [
                ("lod", np.float32(lod)),
                *((key, value.numpy()) for key, value in self.weights.items()),
            ],
        }

    def __getstate__(self) -> dict[str, Any]:
        return self.state


Network.__module__, Network.__qualname__ = "tfutil", "Network"


@pytest.fixture(autouse=True)
def _release(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("tfutil")
    module.Network = Network  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tfutil", module)


def make_triple(lod: float = 0.0, g: dict[str, Any] | None = None, d: dict[str, Any] | None = None) -> list[Network]:
    g_kwargs, d_kwargs = BASE | (g or {}), BASE | (d or {})
    return [
        Network("G", g_kwargs, 1, lod),
        Network("D", d_kwargs, 2, lod),
        Network("G", g_kwargs, 3, lod, "Gs"),
    ]


def save(path: Path, content: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def check(path: Path, networks: list[Network], labels: torch.Tensor | None = None) -> None:
    """Images and scores of every stage, faded and not."""
    file = open_any(path)
    ours = {name: file.network(name) for name in ("G", "D", "G_ema")}
    G, D, Gs = networks
    random = torch.Generator().manual_seed(5)
    z = torch.randn(4, 6, generator=random)
    for size in plain.sizes_to(BASE["resolution"]):
        x = torch.randn(8, G.kwargs["num_channels"], size, size, generator=random)
        for alpha in (0.0, 0.3, 1.0) if size > 4 else (1.0,):
            for name, network in (("G", G), ("G_ema", Gs)):
                wanted = plain.generate(network.weights, network.kwargs, z, labels, size, alpha)
                torch.testing.assert_close(ours[name](z, labels, size, alpha), wanted, atol=1e-4, rtol=0)
            scores = torch.cat(ours["D"](x, None, alpha), dim=1)
            torch.testing.assert_close(scores, plain.judge(D.weights, D.kwargs, x, alpha), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("g", "d"),
    [
        ({}, {}),
        ({"fused_scale": False}, {"fused_scale": False, "mbstd_group_size": 16}),
        ({"pixelnorm_epsilon": 1e-4, "dtype": "float16"}, {"dtype": "float16", "mbstd_group_size": 2}),
        ({"use_wscale": False, "use_pixelnorm": False, "use_leakyrelu": False}, {"use_wscale": False}),
        ({"normalize_latents": False}, {"use_wscale": False, "mbstd_group_size": 0, "fused_scale": False}),
    ],
)
def test_images_and_scores_are_the_release_s(tmp_path: Path, g: dict[str, Any], d: dict[str, Any]) -> None:
    networks = make_triple(g=g, d=d)
    check(save(tmp_path / "net.pkl", tuple(networks)), networks)


def test_labels(tmp_path: Path) -> None:
    networks = make_triple(g={"label_size": 3}, d={"label_size": 3})
    check(save(tmp_path / "net.pkl", tuple(networks)), networks, torch.eye(3)[[0, 2, 1, 1]])


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_gives_the_same(tmp_path: Path, protocol: int) -> None:
    networks = make_triple(lod=1.25)
    wanted = open_any(save(tmp_path / "a.pkl", tuple(networks)))
    found = open_any(save(tmp_path / "b.pkl", tuple(networks), protocol))
    assert found.training == wanted.training == {"resolution": 8, "alpha": 0.75}
    for name in ("G", "D", "G_ema"):
        ours, theirs = found.network(name).state_dict(), wanted.network(name).state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_names_of_older_numpy(tmp_path: Path) -> None:
    """NumPy 1 called its core otherwise; the released files were written with it."""
    data = pickle.dumps(tuple(make_triple(lod=0.5)), 2)
    assert b"numpy._core" in data
    path = tmp_path / "net.pkl"
    path.write_bytes(data.replace(b"cnumpy._core", b"cnumpy.core"))
    assert open_any(path).training == {"resolution": 16, "alpha": 0.5}


class Python2(pickle._Pickler):  # type: ignore[name-defined,misc]
    """Writes texts and bytes alike, as Python 2 wrote its strings."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_string(self, value: str | bytes) -> None:
        raw = value.encode("latin-1") if isinstance(value, str) else value
        if self.proto < 1:
            quoted = "'" + "".join(chr(b) if 32 <= b < 127 and b not in (39, 92) else f"\\x{b:02x}" for b in raw) + "'"
            self.write(b"S" + quoted.encode("ascii") + b"\n")
        else:
            self.write(b"T" + len(raw).to_bytes(4, "little") + raw)

    dispatch[str] = dispatch[bytes] = save_string


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_pickles_of_python_2(tmp_path: Path, protocol: int) -> None:
    networks = make_triple()
    buffer = io.BytesIO()
    Python2(buffer, protocol).dump(tuple(networks))
    path = tmp_path / "net.pkl"
    path.write_bytes(buffer.getvalue())
    assert b"X" + (3).to_bytes(4, "little") not in path.read_bytes()
    found, wanted = open_any(path), open_any(save(tmp_path / "a.pkl", tuple(networks)))
    ours, theirs = found.network("D").state_dict(), wanted.network("D").state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize(
    ("lod", "size", "alpha"),
    [(0.0, 16, 1.0), (0.75, 16, 0.25), (1.0, 8, 1.0), (1.5, 8, 0.5), (2.0, 4, 1.0), (9.0, 4, 1.0)],
)
def test_the_lod_is_what_a_call_without_one_means(tmp_path: Path, lod: float, size: int, alpha: float) -> None:
    networks = make_triple(lod=lod)
    model = load(save(tmp_path / "net.pkl", tuple(networks)))
    z = torch.randn(2, 6, generator=torch.Generator().manual_seed(1))
    images = model(z)
    assert images.shape[-1] == size == model.resolution
    wanted = plain.generate(networks[2].weights, BASE, z, None, size, alpha)
    torch.testing.assert_close(images, wanted, atol=1e-4, rtol=0)
    assert len(model.sample(2)) == 2


def test_networks_alone(tmp_path: Path) -> None:
    G, D, Gs = make_triple()
    assert open_any(save(tmp_path / "a.pkl", Gs)).has("G_ema")
    both = open_any(save(tmp_path / "b.pkl", [D, G]))
    assert both.has("G") and both.has("D") and not both.has("G_ema")
    with pytest.raises(ModelError, match="only a discriminator"):
        open_any(save(tmp_path / "c.pkl", D))


def test_a_discriminator_that_ours_cannot_be_is_left_out_by_name(tmp_path: Path) -> None:
    file = open_any(save(tmp_path / "net.pkl", tuple(make_triple(d={"fmap_max": 4}))))
    assert file.has("G_ema") and not file.has("D")
    assert file.card["imported"]["remarks"] == ["D was left out: its fmap_max differs from G's"]


def _without(name: str) -> Any:
    def change(state: dict[str, Any]) -> None:
        state["variables"] = [pair for pair in state["variables"] if pair[0] != name]

    return change


CHANGES: dict[str, tuple[Any, str]] = {
    "missing": (_without("8x8/Conv1/bias"), "lacks the weight 8x8/Conv1/bias"),
    "too many": (
        lambda s: s["variables"].append(("8x8/Conv9/bias", np.zeros(2))),
        "has an unexpected weight 8x8/Conv9/bias",
    ),
    "twice": (lambda s: s["variables"].append(s["variables"][1]), "two variables of the same name"),
    "lies of its width": (lambda s: s["static_kwargs"].update(fmap_max=16), "has a 4x4.dense.weight of shape"),
    "lies of its size": (lambda s: s["static_kwargs"].update(resolution=32), "lacks the weight"),
    "very large": (lambda s: s["static_kwargs"].update(resolution=2**40), "resolution is not a power of two"),
    "no size": (lambda s: s["static_kwargs"].update(resolution="16"), "argument resolution is not a number"),
    "huge": (lambda s: s["static_kwargs"].update(fmap_base=2**39, fmap_max=2**39), "cannot be imported"),
    "another version": (lambda s: s.update(version=3), "a network of version 3"),
    "another network": (lambda s: s.update(build_func_name="G_style"), "built by G_style"),
    "no lod": (lambda s: s["variables"].__setitem__(0, ("lod", np.zeros(3))), "has a lod that is not a number"),
    "not a number": (lambda s: s["variables"].__setitem__(1, ("4x4/Dense/weight", "x")), "no array under 4x4/Dense"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_fit_is_named(tmp_path: Path, change: str) -> None:
    networks = make_triple()
    networks[2].state["static_kwargs"] = dict(BASE)
    alter, message = CHANGES[change]
    alter(networks[2].state)
    networks[0].state["static_kwargs"] = networks[2].state["static_kwargs"]
    networks[1].state["static_kwargs"] = networks[2].state["static_kwargs"]
    with pytest.raises(ModelError) as caught:
        open_any(save(tmp_path / "net.pkl", tuple(networks)))
    assert message in str(caught.value) and "\n" not in str(caught.value)
