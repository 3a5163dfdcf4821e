"""Peak memory of a piece of work, measured in a separate process that does nothing else.

``python -m growgan.bench.footprint`` is that process: it reads one request, JSON, from its input and answers in JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from growgan.bench.generation import generator, inputs
from growgan.bench.steps import Case, shortage
from growgan.core.config import NetworkSpec, RunConfig
from growgan.core.fields import from_json, to_json
from growgan.devices import Machine, set_up
from growgan.training.state import TrainState
from growgan.training.step import train_step
from growgan.training.trial_steps import TrialSteps, kinds_of_steps

STEPS = 2
"""Train steps of each kind that are run: Adam's moments exist from the second one on."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of a train step, or of a picture, in bytes."""

    work: str
    """``train`` or ``generate``."""
    name: str
    resolution: int
    minibatch: int
    d_down: str
    precision: str
    peak: float | None
    """Peak of the whole process; on a GPU, the most that the device's allocator had given out."""
    base: float | None
    """The process with PyTorch loaded, before networks are made; on a GPU 0."""
    note: str = ""
    """Why there is no figure."""


def of_step(case: Case, machine: Machine) -> list[Footprint]:
    """The memory of a train step."""
    row = (case.name, case.resolution, case.minibatch, case.config.network.d_down, machine.precision)
    if lacking := shortage(case, machine):
        return [Footprint("train", *row, None, None, lacking)]
    return [Footprint("train", *row, **_asked(case, machine, "train", machine.precision))]


def of_pictures(spec: NetworkSpec, batch: int, precision: str, machine: Machine) -> list[Footprint]:
    """The memory of a batch of pictures at the resolution of `spec`."""
    case = Case("", RunConfig(network=spec), spec.resolution, batch)
    row = ("", case.resolution, batch, "", precision)
    return [Footprint("generate", *row, **_asked(case, machine, "generate", precision))]


def _asked(case: Case, machine: Machine, work: str, precision: str) -> dict[str, Any]:
    request = asdict(case) | {"config": to_json(case.config), "work": work, "precision": precision}
    request |= {"device": str(machine.device), "threads": torch.get_num_threads(), "plan": machine.plan.choices}
    words = [sys.executable, "-m", "growgan.bench.footprint"]
    done = subprocess.run(words, input=json.dumps(request), capture_output=True, text=True, check=False)
    if done.returncode:
        why = done.stderr.strip().splitlines()
        return {"peak": None, "base": None, "note": why[-1] if why else f"exited with status {done.returncode}"}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _serve(request: dict[str, Any]) -> dict[str, float | None]:
    config = from_json(RunConfig, request["config"])
    wanted = {"device": request["device"], "precision": request["precision"], "threads": request["threads"]}
    config = from_json(RunConfig, to_json(config) | {"execution": to_json(config.execution) | wanted})
    machine = set_up(config.execution)
    machine.plan.choices |= request["plan"]
    gpu = machine.device.type == "cuda"
    base = 0.0 if gpu else resident_set()
    if request["work"] == "train":
        state = TrainState(config, machine, keep=True)
        phase = Case("", config, request["resolution"], request["minibatch"]).phase
        for nimg, _ in kinds_of_steps(config, phase) * max(STEPS, state.passes.settling):
            state.nimg = nimg
            train_step(state, phase, TrialSteps(state))
    else:
        G = generator(config.network, machine, request["precision"])
        with torch.inference_mode():
            for _ in range(STEPS):
                G(*inputs(config.network, request["minibatch"], machine))
    return {"peak": float(torch.cuda.max_memory_reserved(machine.device)) if gpu else peak_resident(), "base": base}


def resident_set() -> float | None:
    """Bytes of memory that this process occupies now; None if the system does not report it."""
    return _status("VmRSS")


def peak_resident() -> float | None:
    """Most bytes that it has occupied; None if the system does not report it."""
    found = _status("VmHWM")
    if found is not None or sys.platform == "win32":
        return found
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(most) if sys.platform == "darwin" else most * 1024.0


def _status(field: str) -> float | None:
    """A field of Linux's status of this process alone: other sources include the maximum inherited from the parent."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(float(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
    except (OSError, StopIteration):
        return None


if __name__ == "__main__":
    json.dump(_serve(json.load(sys.stdin)), sys.stdout)
