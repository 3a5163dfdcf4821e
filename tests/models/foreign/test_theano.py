"""Pickles of the authors' Theano version against a plain re-statement."""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import theano_plain as plain

from growgan.core.errors import ModelError
from growgan.models.foreign.opening import open_any


class Network:
    """As the class is pickled."""

    def __init__(self, kind: str, kwargs: dict[str, Any], seed: int, lod: float = 0.0) -> None:
        self.kwargs, self.layers = kwargs, plain.make(kwargs, seed, kind)
        arrays: list[Any] = []
        for _, weight, scale, bias in self.layers:
            arrays += [
                weight.numpy(),
                *([np.array(scale, dtype=np.float32)] if scale is not None else []),
                bias.numpy(),
            ]
        self.state = {
            "build_func_spec": {"func": f"{kind}_paper", **kwargs},
            "build_module_src": "raise SystemExit('it was run')",
            "param_values": arrays,
            "toplevel_params": {"cur_lod": np.array(lod, dtype=np.float32)},
        }

    def __getstate__(self) -> dict[str, Any]:
        return self.state


Network.__module__, Network.__qualname__ = "network", "Network"


@pytest.fixture(autouse=True)
def _theano(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("network")
    module.Network = Network  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "network", module)


def make_triple(
    lod: float = 0.0, g: dict[str, Any] | None = None, d: dict[str, Any] | None = None
) -> tuple[Network, ...]:
    g_kwargs, d_kwargs = plain.BASE | (g or {}), plain.BASE | (d or {})
    return Network("G", g_kwargs, 1, lod), Network("D", d_kwargs, 2, lod), Network("G", g_kwargs, 3, lod)


def save(path: Path, content: Any, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize(
    ("g", "d"),
    [
        ({}, {}),
        ({"label_size": 3}, {"label_size": 3}),
        ({"tanh_at_end": 1.0, "use_wscale": False}, {"mbstat_avg": None, "use_gdrop": False}),
        ({"normalize_latents": False, "use_leakyrelu": False}, {"use_wscale": False}),
    ],
)
def test_images_and_scores(tmp_path: Path, g: dict[str, Any], d: dict[str, Any]) -> None:
    G, D, Gs = networks = make_triple(g=g, d=d)
    file = open_any(save(tmp_path / "net.pkl", networks))
    ours = {name: file.network(name) for name in ("G", "D", "G_ema")}
    random = torch.Generator().manual_seed(5)
    z, labels = torch.randn(4, 6, generator=random), torch.eye(3)[[0, 2, 1, 1]] if "label_size" in g else None
    for size in file.spec.stages:
        x = torch.randn(6, 3, size, size, generator=random)
        for alpha in (0.0, 0.3, 1.0) if size > 4 else (1.0,):
            for name, network in (("G", G), ("G_ema", Gs)):
                wanted = plain.generate(network.layers, network.kwargs, z, labels, size, alpha)
                torch.testing.assert_close(ours[name](z, labels, size, alpha), wanted, atol=1e-4, rtol=0)
            found = torch.cat(ours["D"](x, None, alpha), dim=1)
            torch.testing.assert_close(found, plain.judge(D.layers, D.kwargs, x, alpha), atol=1e-4, rtol=0)


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_lod_and_protocols(tmp_path: Path, protocol: int) -> None:
    file = open_any(save(tmp_path / "net.pkl", make_triple(lod=0.25), protocol))
    assert file.training == {"resolution": 16, "alpha": 0.75}


@pytest.mark.parametrize(
    ("d", "why"),
    [
        ({"use_layernorm": True}, "layer normalisation"),
        ({"mbdisc_kernels": 100}, "minibatch discrimination"),
        ({"mbstat_avg": "flat"}, "another kind of minibatch statistic"),
    ],
)
def test_a_discriminator_that_ours_cannot_be_is_left_out_by_name(tmp_path: Path, d: dict[str, Any], why: str) -> None:
    file = open_any(save(tmp_path / "net.pkl", make_triple(d=d)))
    assert file.has("G_ema") and not file.has("D")
    assert why in file.card["imported"]["remarks"][0]


def _set(network: int, **values: Any) -> Any:
    return lambda nets: nets[network].state["build_func_spec"].update(values)


CHANGES: dict[str, tuple[Any, str]] = {
    "too few": (lambda nets: nets[0].state["param_values"].pop(), "arrays, which is too few"),
    "too many": (lambda nets: nets[1].state["param_values"].append(np.zeros(2)), "arrays, of which"),
    "infinite": (lambda nets: nets[0].state["param_values"].__setitem__(1, np.float32(3e38)), "that are not finite"),
    "batch norm": (_set(0, use_batchnorm=True), "batch normalisation"),
    "a scale": (_set(0, tanh_at_end=0.5), "a scale after its tanh"),
    "another function": (_set(0, func="G_mnist_mode_recovery"), "built by 'G_mnist_mode_recovery'"),
    "another size": (_set(2, resolution=32), "does not have"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_fit_is_named(tmp_path: Path, change: str) -> None:
    networks = make_triple()
    alter, message = CHANGES[change]
    alter(networks)
    with pytest.raises(ModelError) as caught:
        open_any(save(tmp_path / "net.pkl", networks))
    assert message in str(caught.value) and "\n" not in str(caught.value)
