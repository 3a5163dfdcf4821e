"""What benchmarks/peers.py compares: the same work by growgan and by pro-gan-pth, each in a process of its own.

    python benchmarks/peer_work.py serve growgan|peer --threads N --device D   answers requests, a line of JSON each
    python benchmarks/peer_work.py write|read FILE.pt --size S                 pro-gan-pth's weights; a picture of them

pro-gan-pth asks for torch 1.10 and torchvision. It runs on today's PyTorch with the three shims below: torchvision and
TensorBoard are replaced by empty modules, since neither is used in what is timed, and one internal signature of
PyTorch's transposed convolution has gained an argument. Its default widths are twice the paper's and are set to equal.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOGETHER = 10
"""Repetitions timed together on a GPU, which is synchronised only at their end."""


def growgan_work(threads: int, device: str) -> Callable[[dict[str, Any]], Callable[[], object]]:
    """growgan's implementation of a request."""
    import torch

    from growgan.core.config import ExecutionConfig, NetworkSpec, RunConfig
    from growgan.core.fields import per
    from growgan.core.presets import preset
    from growgan.core.schedule import Schedule
    from growgan.devices import set_up
    from growgan.networks.generator import Generator
    from growgan.networks.layers import follow, initialize
    from growgan.training.state import TrainState
    from growgan.training.step import train_step
    from growgan.training.trial_steps import TrialSteps

    torch.set_num_threads(threads)

    def make(request: dict[str, Any]) -> Callable[[], object]:
        import dataclasses

        spec = NetworkSpec(resolution=request["resolution"], d_down=request.get("d_down", "act_pool"))
        if request["work"] == "generate":
            G = Generator(spec)
            initialize(G, 1, "G")
            machine = set_up(ExecutionConfig(device=device, precision=request["precision"], threads=threads))
            G.eval().requires_grad_(False).to(device=machine.device, memory_format=machine.layout)
            G.compute, z = machine.compute, torch.randn(request["minibatch"], spec.z_size, device=machine.device)
            follow(G, machine.plan)

            def generate() -> object:
                with torch.inference_mode():
                    return G(z)

            with machine.plan.measuring():
                generate()
            return generate
        base = preset("paper")
        config: RunConfig = dataclasses.replace(
            base,
            network=spec,
            schedule=dataclasses.replace(base.schedule, minibatch=per(request["minibatch"])),
            execution=ExecutionConfig(device=device, precision=request["precision"], threads=threads),
        )
        machine = set_up(config.execution)
        state = TrainState(config, machine, keep=True)
        schedule = Schedule(config.schedule, config.optim, spec.resolution)
        phase = schedule.trained(schedule.stages[-1], 0.5)
        with machine.plan.measuring():  # as a run does before each stage
            train_step(state, phase, TrialSteps(state))
        for _ in range(state.passes.settling):
            train_step(state, phase, TrialSteps(state))
        return lambda: train_step(state, phase, TrialSteps(state))

    return make


def import_peer() -> None:
    """Make pro-gan-pth importable on today's PyTorch, at the paper's widths."""
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
    from pro_gan_pytorch import networks

    networks.nf.__defaults__ = (8192, *networks.nf.__defaults__[1:])


def peer_work(threads: int, device: str) -> Callable[[dict[str, Any]], Callable[[], object]]:
    """pro-gan-pth's implementation of a request."""
    import torch

    # With its index: otherwise pro-gan-pth splits each minibatch over all GPUs, which only costs time if there is one.
    place = torch.device("cuda:0" if device == "cuda" else device)

    import_peer()
    from pro_gan_pytorch import gan, losses, networks

    torch.set_num_threads(threads)

    def make(request: dict[str, Any]) -> Callable[[], object]:
        depth, n = request["resolution"].bit_length() - 1, request["minibatch"]
        G = networks.Generator(depth=depth).to(place)
        z = torch.randn(n, 512, device=place)
        if request["work"] == "generate":

            def generate() -> object:
                with torch.no_grad():
                    return G(z, depth, 1.0)

            return generate
        with contextlib.redirect_stdout(io.StringIO()):
            pair = gan.ProGAN(G, networks.Discriminator(depth=depth), place)
        adam = [
            torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.0, 0.99), eps=1e-8) for net in (pair.gen, pair.dis)
        ]
        loss, reals = losses.WganGP(), torch.zeros(n, 3, request["resolution"], request["resolution"], device=place)

        def step() -> None:
            pair.optimize_discriminator(loss, adam[1], torch.randn(n, 512, device=place), reals, depth, 0.5)
            pair.optimize_generator(loss, adam[0], torch.randn(n, 512, device=place), reals, depth, 0.5)
            gan.update_average(pair.gen_shadow, pair.gen, beta=0.999)

        return step

    return make


def serve(which: str, threads: int, device: str) -> None:
    """Answer requests, one per line: set up and warm up, or do the work and report the seconds per repetition."""
    import torch

    make = {"growgan": growgan_work, "peer": peer_work}[which](threads, device)
    work: Callable[[], object] = list
    gpu = device != "cpu"
    count = TOGETHER if gpu else 1
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "peak":
            base = 0.0 if gpu else memory("VmRSS")
            work = make(request)
            work()
            peak = torch.cuda.max_memory_allocated(device) if gpu else memory("VmHWM")
            print(json.dumps({"peak": peak, "base": base}), flush=True)
            continue
        if request["do"] == "set up":
            work = list  # the previous work need not fit in memory alongside it
            work = make(request)
            work()
        if gpu:
            torch.cuda.synchronize(device)
        started = time.perf_counter()
        for _ in range(count):
            work()
        if gpu:
            torch.cuda.synchronize(device)
        print(json.dumps((time.perf_counter() - started) / count), flush=True)


def memory(field: str) -> float:
    """Bytes of this process according to a field of /proc/self/status."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(float(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def peer_cold(do: str, weights: Path, size: int) -> None:
    """The shortest script: write weights, or read them and write one picture next to them."""
    import torch

    import_peer()
    from pro_gan_pytorch import networks

    depth = size.bit_length() - 1
    if do == "write":
        torch.save({"generator": networks.Generator(depth=depth).get_save_info()}, weights)
        return
    from PIL import Image

    G = networks.create_generator_from_saved_model(weights)
    with torch.no_grad():
        x = G(torch.randn(1, 512), depth, 1.0)
    pixels = (x[0] * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(weights.with_suffix(".png"))


def main() -> None:
    """Serve, or do the work of a cold process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=("serve", "write", "read"))
    parser.add_argument("what", help="growgan or peer; the weights file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int)
    args = parser.parse_args()
    if args.do == "serve":
        serve(args.what, args.threads, args.device)
    else:
        peer_cold(args.do, Path(args.what), args.size)


if __name__ == "__main__":
    main()
