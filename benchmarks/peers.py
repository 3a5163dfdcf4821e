"""growgan beside pro-gan-pth, in one run and in alternation: train steps and generation, with ratios.

    python benchmarks/peers.py --peer PYTHON [--threads N] [--quick] [--json FILE]

PYTHON is an interpreter of a virtual environment that holds pro-gan-pth, made by

    python -m venv peer && peer/bin/pip install torch==2.13.0 numpy && peer/bin/pip install --no-deps pro-gan-pth==3.4

pro-gan-pth asks for torch 1.10 and torchvision. It runs on today's PyTorch with the three shims below: torchvision and
TensorBoard are replaced by empty modules, since neither is used in what is timed, and one internal signature of
PyTorch's transposed convolution has gained an argument. Its default widths are twice the paper's and are set to equal.
Each of the two works in a process of its own and waits without computing while the other one works.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = ((8, 16), (32, 8), (128, 2))
"""Resolution and minibatch of the train steps."""


def growgan_work(threads: int) -> Callable[[dict[str, Any]], Callable[[], object]]:
    """What growgan does for a request."""
    import torch

    from growgan.core.config import ExecutionConfig, NetworkSpec, RunConfig
    from growgan.core.fields import per
    from growgan.core.plan import Plan
    from growgan.core.presets import preset
    from growgan.core.schedule import Schedule
    from growgan.devices import choose_layout, set_up
    from growgan.networks.generator import Generator
    from growgan.networks.layers import follow, initialize
    from growgan.training.rehearsal import Rehearsal
    from growgan.training.state import TrainState
    from growgan.training.step import train_step

    torch.set_num_threads(threads)

    def make(request: dict[str, Any]) -> Callable[[], object]:
        import dataclasses

        spec = NetworkSpec(resolution=request["resolution"], d_down=request.get("d_down", "act_pool"))
        if request["work"] == "generate":
            G = Generator(spec)
            initialize(G, 1, "G")
            G.eval().requires_grad_(False).to(memory_format=choose_layout(torch.device("cpu")))
            G.compute = torch.bfloat16 if request["precision"] == "bfloat16" else None
            z, plan = torch.randn(request["minibatch"], spec.z_size), Plan()
            follow(G, plan)

            def generate() -> object:
                with torch.inference_mode():
                    return G(z)

            with plan.measuring():
                generate()
            return generate
        base = preset("paper")
        config: RunConfig = dataclasses.replace(
            base,
            network=spec,
            schedule=dataclasses.replace(base.schedule, minibatch=per(request["minibatch"])),
            execution=ExecutionConfig(device="cpu", precision=request["precision"], threads=threads),
        )
        machine = set_up(config.execution)
        state = TrainState(config, machine)
        schedule = Schedule(config.schedule, config.optim, spec.resolution)
        phase = schedule.trained(schedule.stages[-1], 0.5)
        with machine.plan.measuring():  # as a run does before each stage
            train_step(state, phase, Rehearsal(state))
        return lambda: train_step(state, phase, Rehearsal(state))

    return make


def peer_work(threads: int) -> Callable[[dict[str, Any]], Callable[[], object]]:
    """What pro-gan-pth does for a request."""
    import torch
    from torch.nn.modules.conv import _ConvTransposeNd

    for name, members in {
        "torchvision": (),
        "torchvision.utils": ("save_image",),
        "torchvision.transforms": ("Compose", "RandomHorizontalFlip", "Resize", "ToTensor"),
        "torch.utils.tensorboard": ("SummaryWriter",),
    }.items():
        sys.modules[name] = types.ModuleType(name)
        for member in members:
            setattr(sys.modules[name], member, lambda *args, **kwargs: None)
    padding = _ConvTransposeNd._output_padding

    def output_padding(self, x, output_size, stride, padding_, kernel_size, spatial=2, dilation=None):
        return padding(self, x, output_size, stride, padding_, kernel_size, spatial, dilation)

    _ConvTransposeNd._output_padding = output_padding
    from pro_gan_pytorch import gan, losses, networks

    networks.nf.__defaults__ = (8192, *networks.nf.__defaults__[1:])
    torch.set_num_threads(threads)

    def make(request: dict[str, Any]) -> Callable[[], object]:
        depth, n = request["resolution"].bit_length() - 1, request["minibatch"]
        G = networks.Generator(depth=depth)
        z = torch.randn(n, 512)
        if request["work"] == "generate":

            def generate() -> object:
                with torch.no_grad():
                    return G(z, depth, 1.0)

            return generate
        with contextlib.redirect_stdout(io.StringIO()):
            pair = gan.ProGAN(G, networks.Discriminator(depth=depth))
        adam = [
            torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.0, 0.99), eps=1e-8) for net in (pair.gen, pair.dis)
        ]
        loss, reals = losses.WganGP(), torch.zeros(n, 3, request["resolution"], request["resolution"])

        def step() -> None:
            pair.optimize_discriminator(loss, adam[1], torch.randn(n, 512), reals, depth, 0.5)
            pair.optimize_generator(loss, adam[0], torch.randn(n, 512), reals, depth, 0.5)
            gan.update_average(pair.gen_shadow, pair.gen, beta=0.999)

        return step

    return make


def serve(which: str, threads: int) -> None:
    """Answer requests, a line each: set up and warm up, or do the work once and tell the seconds."""
    make = {"growgan": growgan_work, "peer": peer_work}[which](threads)
    work: Callable[[], object] = list
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "set up":
            work = make(request)
            work()
        started = time.perf_counter()
        work()
        print(json.dumps(time.perf_counter() - started), flush=True)


class Worker:
    """A process that works when asked, and waits otherwise."""

    def __init__(self, python: str, which: str, threads: int) -> None:
        words = [python, __file__, "--serve", which, "--threads", str(threads)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request: Any) -> float:
        """Seconds of one piece of work."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"the process for {request} has ended; see above")
        return float(json.loads(answer))

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def compare(peer: Worker, ours: Worker, rounds: int, **request: Any) -> dict[str, Any]:
    """Medians of both, and of the ratio pair by pair."""
    peer.ask(do="set up", **request)
    ours.ask(do="set up", **request)
    pairs = [(peer.ask(do="work"), ours.ask(do="work")) for _ in range(rounds)]
    ratios = [theirs / mine for theirs, mine in pairs]
    return {
        **request,
        "peer_seconds": statistics.median(theirs for theirs, _ in pairs),
        "growgan_seconds": statistics.median(mine for _, mine in pairs),
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
    }


def main() -> None:
    """Run all comparisons and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="Python of the environment that holds pro-gan-pth")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="8x8 and a small picture only")
    parser.add_argument("--json", help="write the figures to this file")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.threads)
        return
    if not args.peer:
        parser.error("--peer is needed")
    peer, ours = Worker(args.peer, "peer", args.threads), Worker(sys.executable, "growgan", args.threads)
    work = [
        {"work": "train", "resolution": resolution, "minibatch": n, "d_down": down, "precision": precision}
        for resolution, n in STEPS[: 1 if args.quick else None]
        for precision in ("float32", "bfloat16")
        for down in ("act_pool", "pool_act")
    ]
    size = 64 if args.quick else 1024
    work += [{"work": "generate", "resolution": size, "minibatch": 1, "precision": p} for p in ("float32", "bfloat16")]
    found = []
    print("work          size  batch  precision  d_down     pro-gan-pth   growgan   ratio (range)")
    for request in work:
        row = compare(peer, ours, args.rounds, **request)
        found.append(row)
        low, high = row["ratio_range"]
        print(
            f"{row['work']:<12} {row['resolution']:>5}  {row['minibatch']:>5}  {row['precision']:<9}  "
            f"{row.get('d_down', ''):<9}  {row['peer_seconds']:>9.3f} s  {row['growgan_seconds']:>6.3f} s  "
            f"{row['ratio']:>5.2f} ({low:.2f} to {high:.2f})",
            flush=True,
        )
    peer.close()
    ours.close()
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
