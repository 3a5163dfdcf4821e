"""How near a build comes to what decoding and resizing alone cost, and how fast the loader reads.

    python benchmarks/data.py build PICTURES --resolution 128 [--crop 25,57,153,185] [--limit 10000]
    python benchmarks/data.py loader SET [--cold]

The bare work is what any build must do: open, decode, convert, crop, resize, encode, with all cores and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from growgan.core.geometry import stages
from growgan.data.build import build
from growgan.data.dataset import open_dataset
from growgan.data.framing import Framing
from growgan.data.parallel import count_cores, map_ordered
from growgan.data.sampler import Loader, Sampler
from growgan.data.transform import Transform


def measure_build(args: argparse.Namespace) -> dict[str, float]:
    """Seconds of the bare work and of a whole build of the same pictures, the share of the cores that each kept
    busy, and the space taken by dataset and pyramid."""
    crop = tuple(map(float, args.crop.split(","))) if args.crop else None
    files = sorted(args.pictures.iterdir())[: args.limit]
    transform = Transform(resolution=args.resolution, channels=3, framing=Framing(crop))  # type: ignore[arg-type]
    for file in files:  # so that both start with a warm page cache
        file.read_bytes()
    bare, bare_busy = timed(lambda: [None for _ in map_ordered(lambda file: transform.apply(file.read_bytes()), files)])
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        made = Path(folder) / "set.zip"
        whole, busy = timed(
            lambda: build(
                args.pictures,
                made,
                resolution=args.resolution,
                channels=3,
                crop=crop,  # type: ignore[arg-type]
                limit=args.limit,
            )
        )
        with open_dataset(made) as dataset:
            count, pyramid = len(dataset), size_of(dataset.ensure_pyramid())
        size = size_of(made)
    return {
        "pictures": len(files),
        "cores": count_cores(),
        "bare_seconds": bare,
        "bare_cores_busy": bare_busy,
        "build_seconds": whole,
        "build_cores_busy": busy,
        "build_over_bare": whole / bare,
        "set_over_pictures": size / sum(map(size_of, files)),
        "pyramid_bytes_per_picture": pyramid / count,
    }


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )


def timed(work: object) -> tuple[float, float]:
    """The seconds that `work` took, and the number of cores that it kept busy."""
    start, used = time.perf_counter(), time.process_time()
    work()  # type: ignore[operator]
    seconds = time.perf_counter() - start
    return seconds, (time.process_time() - used) / seconds


def measure_loader(args: argparse.Namespace) -> dict[str, float]:
    """Images per second at every size, in batches of 16. cold: first drop the dataset's files from the page cache."""
    rates = {}
    with open_dataset(args.set) as dataset:
        dataset.ensure_pyramid()
        sampler = Sampler(len(dataset), 0)
        for resolution in stages(dataset.resolution):
            if args.cold:
                drop(args.set)
            with Loader(dataset, sampler) as loader:
                nimg, start = 0, time.perf_counter()
                while time.perf_counter() - start < args.seconds:
                    images, _ = loader.batch(nimg, 16, resolution)
                    nimg += len(images)
                    np.add.reduce(images[:, 0, 0, 0])
                rates[f"{resolution}x{resolution}"] = nimg / (time.perf_counter() - start)
    return rates


def drop(path: Path) -> None:
    """Drop a dataset and its pyramid from the page cache."""
    beside = path.with_name(f"{path.name}.pyramid")
    for file in (path, *(beside.iterdir() if beside.is_dir() else ())):
        if file.is_file():
            handle = os.open(file, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("build")
    command.add_argument("pictures", type=Path)
    command.add_argument("--resolution", type=int, default=128)
    command.add_argument("--crop")
    command.add_argument("--limit", type=int)
    command.add_argument("--scratch", type=Path)
    command = commands.add_parser("loader")
    command.add_argument("set", type=Path)
    command.add_argument("--cold", action="store_true")
    command.add_argument("--seconds", type=float, default=2.0)
    args = parser.parse_args()
    found = measure_build(args) if args.command == "build" else measure_loader(args)
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


if __name__ == "__main__":
    main()
