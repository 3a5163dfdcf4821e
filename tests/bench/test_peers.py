"""benchmarks/peers.py: what is compared, on which device."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers.py"


def peers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("peers", PEERS)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: True)
    return peers()


def test_bfloat16_is_compared_where_there_are_units_for_it(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for units, precisions in ((True, {"float32", "bfloat16", None}), (False, {"float32", None})):
        monkeypatch.setattr("growgan.devices.has_fast_bfloat16", lambda device, found=units: found)
        assert {row.get("precision") for row in module.rows(False, "cpu")} == precisions


def test_a_gpu_is_compared_at_every_size_with_the_releases_minibatches(module: ModuleType) -> None:
    rows = {device: module.rows(False, device) for device in ("cpu", "cuda")}
    steps = {
        device: {row["resolution"]: row["minibatch"] for row in found if "time train" in module.name(row)}
        for device, found in rows.items()
    }
    assert steps["cpu"] == {8: 16, 32: 8, 128: 2}
    assert steps["cuda"] == {4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4, 1024: 4}
    assert not [row for row in rows["cuda"] if row["measure"] == "cold"]
