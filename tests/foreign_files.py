"""Tiny files of every origin, made without the programs: for the tests that change or corrupt them."""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from oracles import gan_zoo_plain, mmgen_plain, pro_gan_pth_plain, release_plain, theano_plain

from growgan.models.native import save_model


@contextmanager
def class_of(path: str) -> Iterator[type]:
    """A class that pickles by the dotted name `path`, for as long as it is needed."""
    module, _, name = path.rpartition(".")
    made = type(name, (), {"__module__": module, "__qualname__": name})
    parts = module.split(".")
    names = [".".join(parts[: i + 1]) for i in range(len(parts))]
    before = {key: sys.modules.get(key) for key in names}
    for key in names:
        sys.modules[key] = types.ModuleType(key)
    setattr(sys.modules[module], name, made)
    try:
        yield made
    finally:
        for key, value in before.items():
            sys.modules.pop(key)
            if value is not None:
                sys.modules[key] = value


def release(protocol: int = 4, **changes: Any) -> bytes:
    """A triple of the authors' TensorFlow release, 8x8."""
    kwargs = release_plain.BASE | {"resolution": 8}
    with class_of("tfutil.Network") as network:
        nets = []
        for kind, name in (("G", "G"), ("D", "D"), ("G", "Gs")):
            values = [(key, value.numpy()) for key, value in release_plain.make(kwargs, 1, kind).items()]
            state = {"version": 2, "name": name, "static_kwargs": kwargs, "build_module_src": "import os"}
            state |= {"build_func_name": f"{kind}_paper", "variables": [("lod", np.float32(0)), *values]}
            net = network()
            net.__dict__.update(state | changes)
            nets.append(net)
        return pickle.dumps(tuple(nets), protocol)


def theano() -> bytes:
    """A triple of the Theano version, 8x8."""
    kwargs = theano_plain.BASE | {"resolution": 8}
    with class_of("network.Network") as network:
        nets = []
        for kind in "GDG":
            net = network()
            arrays = [
                x for _, w, s, b in theano_plain.make(kwargs, 1, kind) for x in (w.numpy(), np.float32(s), b.numpy())
            ]
            net.__dict__.update(
                build_func_spec={"func": f"{kind}_paper", **kwargs},
                param_values=arrays,
                toplevel_params={"cur_lod": np.array(0.5, dtype=np.float32)},
            )
            nets.append(net)
        return pickle.dumps(tuple(nets), 2)


def torch_bytes(content: Any, zipped: bool = True) -> bytes:
    """As `torch.save` writes it; a zip without checksums, so that changes reach what lies behind them."""
    buffer = io.BytesIO()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    finally:
        torch.serialization.set_crc32_options(True)
    return buffer.getvalue()


def gan_zoo(zipped: bool = True) -> bytes:
    """A checkpoint of pytorch_GAN_zoo, 8x8."""
    depths = (4, 4)
    with class_of("models.utils.config.BaseConfig") as config:
        made = config()
        made.__dict__.update(alpha=0.25, lossCriterion="WGANGP", leakyReluLeak=0.2, categoryVectorDim=0)
        content = {
            "config": made,
            "netG": gan_zoo_plain.make(gan_zoo_plain.g_shapes(6, depths, 3), 1),
            "netD": gan_zoo_plain.make(gan_zoo_plain.d_shapes(1, depths, 3, True), 2),
        }
        return torch_bytes(content, zipped)


def pro_gan_pth() -> bytes:
    """A saved model of pro-gan-pth, 8x8."""
    shapes = {
        "generator": pro_gan_pth_plain.g_shapes(6, (4, 4), 3),
        "discriminator": pro_gan_pth_plain.d_shapes(6, (4, 4), 3),
    }
    return torch_bytes(
        {k: {"conf": {"use_eql": True}, "state_dict": pro_gan_pth_plain.make(s, 1)} for k, s in shapes.items()}
    )


def mmgen() -> bytes:
    """A checkpoint of mmgeneration, 8x8."""
    parts = {
        "generator": mmgen_plain.g_shapes(6, (4, 4), True),
        "discriminator": mmgen_plain.d_shapes(1, (4, 4), 4, True),
    }
    state = {f"{part}.{name}": v for part, s in parts.items() for name, v in mmgen_plain.make(s, 1).items()}
    state["_curr_scale_int"] = torch.tensor(8)
    return torch_bytes({"meta": {"config": "a = dict(type='PGGANGenerator', noise_size=6)"}, "state_dict": state})


def native() -> bytes:
    """A model file of ours, 8x8."""
    import tempfile
    from pathlib import Path

    from making import make_nets, make_spec

    G, D = make_nets(make_spec(8), torch.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        save_model(path, {"G_ema": G, "D": D}, training={"resolution": 8, "alpha": 0.5})
        return path.read_bytes()


MAKERS = {
    "release": release,
    "release, protocol 0": lambda: release(0),
    "release, protocol 5": lambda: release(5),
    "theano": theano,
    "gan_zoo": gan_zoo,
    "gan_zoo, old format": lambda: gan_zoo(False),
    "pro_gan_pth": pro_gan_pth,
    "mmgen": mmgen,
    "native": native,
}
"""Every reader's kind of file."""
