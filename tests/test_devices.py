"""What a machine is set up to do and says that it does, as far as that can be seen without its device."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from growgan import devices
from growgan.bench import machine as bench_machine
from growgan.core.config import ExecutionConfig
from growgan.devices import Machine, set_up

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SWITCH = torch.backends.cudnn.conv
CHOOSE = devices.choose_device


@pytest.fixture(autouse=True)
def _switches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A CUDA GPU with units for TF32 and bfloat16, to be asked about; and PyTorch's switches as they were."""
    monkeypatch.setattr(devices, "choose_device", torch.device)
    monkeypatch.setattr(torch.cuda, "is_tf32_supported", lambda: True)
    monkeypatch.setattr(devices, "has_fast_bfloat16", lambda device: True)
    benchmark, precision = torch.backends.cudnn.benchmark, SWITCH.fp32_precision
    yield
    torch.backends.cudnn.benchmark, SWITCH.fp32_precision = benchmark, precision


@pytest.mark.parametrize(
    ("device", "plan", "measures"), [("cuda", "measured", True), ("cuda", "plain", False), ("cpu", "measured", False)]
)
def test_cudnn_measures_where_plans_are_measured(device: str, plan: str, measures: bool) -> None:
    torch.backends.cudnn.benchmark = False
    set_up(ExecutionConfig(device=device, precision="float32", plan=plan))
    assert torch.backends.cudnn.benchmark is measures


def test_a_machine_says_when_float32_goes_through_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    SWITCH.fp32_precision = "tf32"
    assert "float32 convolutions (by TF32), " in Machine(CUDA).describe()
    for other in (Machine(CUDA, compute=torch.bfloat16), Machine(CUDA, dtype=torch.float64), Machine(CPU)):
        assert "TF32" not in other.describe()
    SWITCH.fp32_precision = "ieee"
    assert "float32 convolutions, " in Machine(CUDA).describe()
    SWITCH.fp32_precision = "tf32"
    monkeypatch.setattr(torch.cuda, "is_tf32_supported", lambda: False)
    assert "float32 convolutions, " in Machine(CUDA).describe()


def test_the_switch_is_read_whichever_name_it_was_set_by(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(name="a card", major=9, minor=0, total_memory=2**36)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    SWITCH.fp32_precision = "ieee"
    with pytest.raises(RuntimeError, match="allow_tf32"):
        assert torch.backends.cudnn.allow_tf32
    found = bench_machine.describe(Machine(CUDA))
    assert found["gpu"] == "a card" and found["tf32_convolutions"] is False and found["tf32_products"] is False
    SWITCH.fp32_precision = "tf32"
    assert bench_machine.describe(Machine(CUDA))["tf32_convolutions"] is True


@pytest.mark.parametrize(
    ("gpus", "named", "preset"),
    [(0, None, "fast"), (1, None, "v2-1gpu"), (1, "cuda", "v2-1gpu"), (1, "cuda:0", "v2-1gpu"), (1, "cpu", "fast")],
)
def test_the_device_decides_on_the_preset(
    monkeypatch: pytest.MonkeyPatch, gpus: int, named: str | None, preset: str
) -> None:
    monkeypatch.setattr(devices, "choose_device", CHOOSE)
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpus > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    overrides = [("seed", "1")] + ([("execution.device", named)] if named else [])
    assert devices.usual_preset(overrides) == preset


def test_the_processor_is_a_step_ahead_of_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the step before the one it has asked for last, so that the card always has one to do."""
    done: list[str] = []

    class Event:
        count = 0

        def __init__(self, blocking: bool) -> None:
            assert blocking, "a wait that spins would keep a core from the pictures"
            Event.count += 1
            self.name = f"step {Event.count}"

        def record(self, stream: object) -> None:
            assert stream == "the card's"
            done.append(f"asked for {self.name}")

        def synchronize(self) -> None:
            done.append(f"waited for {self.name}")

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: "the card's")
    throttle = devices.StepThrottle(CUDA)
    for _ in range(3):
        throttle.step()
    assert done == [
        "asked for step 1",
        "asked for step 2",
        "waited for step 1",
        "asked for step 3",
        "waited for step 2",
    ]
    devices.StepThrottle(CPU).step()
    assert Event.count == 3
