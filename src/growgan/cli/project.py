"""``growgan project``: photographs looked for in a model."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from growgan.cli.data.build import parse_crop
from growgan.cli.model import add_model, check_place, load_model
from growgan.core.errors import ConfigError, DataError
from growgan.core.progress import Progress
from growgan.core.text import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUMMARY = "find the latents whose pictures are nearest to photographs, for growgan edit and growgan video"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_model(parser)
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTOS", help="pictures, or folders and zips of such")
    parser.add_argument(
        "--out", type=Path, default=Path("projected.safetensors"), metavar="FILE", help="(projected.safetensors); what "
        "is in it stays, and is not looked for again"
    )  # fmt: skip
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="photographs above what is found (beside --out)")
    parser.add_argument(
        "--crop", type=parse_crop, metavar="L,T,R,B", help="the part of each: pixels, or fractions where all are at "
        "most 1 (default: the middle square). Faces have to lie as the model's: growgan data align"
    )  # fmt: skip
    parser.add_argument("--latents-only", action="store_true", help="nothing that the model would not make of a seed")
    parser.add_argument("--steps", type=int, default=300, metavar="N", help="of the latent, and of the rest (300)")
    parser.add_argument("--starts", type=int, default=500, metavar="N", help="seeds; the nearest are begun with (500)")
    parser.add_argument("--class", dest="label", metavar="K", help="of all (default: that of the nearest seed)")
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda, mps or auto (default cpu)")


def run(args: argparse.Namespace) -> int:
    """Write the file, after each photograph, and the sheet; print how far each picture is from its photograph."""
    if args.out.suffix != ".safetensors":
        raise ConfigError(f"--out {args.out} should end in .safetensors")
    sheet_path = args.sheet or args.out.with_suffix(".png")
    if sheet_path.suffix.lower() != ".png":
        raise ConfigError(f"--sheet {sheet_path} should end in .png")
    for path in (args.out, sheet_path):
        check_place(path)
    if args.starts < 1 or args.steps < 1:
        raise ConfigError(f"--starts and --steps must be at least 1, not {args.starts} and {args.steps}")

    from growgan.editing import projected, sheet
    from growgan.editing.projection import Projector, to_photo
    from growgan.sampling.images import save_png
    from growgan.sampling.model import Model

    model = load_model(args.model, args.device, "float32")
    if not isinstance(model, Model):
        raise ConfigError(f"{args.model} is an export: photographs are looked for in the model file itself")
    label = model.label(args.label) if args.label is not None else None
    settings = f"{args.steps} steps from the nearest of {args.starts} seeds"
    settings += f", class {label}" * (label is not None) + ", latents only" * args.latents_only
    found = projected.read(args.out) if args.out.exists() else None
    if found is not None and (found.model, found.settings) != (model.file.hash, settings):
        raise ConfigError(f"{args.out} holds photographs of another model, or of {found.settings}: name another --out")
    photos = read(args.photos, args.crop, model.resolution, model.spec.channels)
    there = found.digests if found is not None else ()
    missing = {digest: one for digest, one in photos.items() if digest not in there}
    if missing:
        free = not args.latents_only
        with Progress(args.starts, "pictures of seeds") as progress:
            words = {"starts": args.starts, "steps": args.steps, "free": free, "label": label}
            projector = Projector(model, **words, advance=progress.advance)
        with Progress(len(missing) * projector.work, "steps") as progress:
            for digest, (name, pixels) in missing.items():
                point = projector(to_photo(pixels), progress.advance)
                found = projected.added(found, name, digest, point, model.file.hash, settings)
                projected.save(args.out, found)
    assert found is not None
    rows = [found.digests.index(digest) for digest in photos]
    drawn = sheet.beside(model, [pixels for _, pixels in photos.values()], found.walk(model).cells(rows))
    save_png(sheet_path, drawn, {"model": model.file.hash, "settings": settings})
    width = max(10, *(len(printable(name)) for name, _ in photos.values()))
    print(f"{'photograph':<{width}}  off by, of 255")
    for row, (name, _) in zip(rows, photos.values(), strict=True):
        print(f"{printable(name):<{width}}  {found.errors[row]:.1f}")
    print(args.out)
    print(sheet_path)
    return 0


def read(
    paths: list[Path], crop: tuple[float, float, float, float] | None, resolution: int, channels: int
) -> dict[str, tuple[str, NDArray[np.uint8]]]:
    """Name and pixels of each photograph by its digest; what cannot be used is said. Raises `DataError` for none."""
    from growgan.data.framing import Framing
    from growgan.data.photographs import read_photographs
    from growgan.data.prepare import list_skipped
    from growgan.data.sources import Skipped
    from growgan.data.transform import Transform

    transform = Transform(resolution=resolution, channels=channels, framing=Framing(crop=crop), upscale=True)
    photos: dict[str, tuple[str, NDArray[np.uint8]]] = {}
    skipped: list[Skipped] = []
    for one in read_photographs(paths, transform):
        if isinstance(one, Skipped):
            skipped.append(one)
        else:
            photos.setdefault(hashlib.sha256(one[1].tobytes()).hexdigest(), one)
    for line in list_skipped(skipped):
        print(f"growgan: {line}", file=sys.stderr)
    if not photos:
        raise DataError(f"{paths[0]}: no photograph that can be used")
    return photos
