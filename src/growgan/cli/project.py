"""``growgan project``: project photographs into a model."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from growgan.cli.model import add_model, add_working_device, load_model, sheet_beside
from growgan.cli.parsing import parse_crop
from growgan.core.errors import ConfigError, DataError
from growgan.core.files import check_own
from growgan.core.progress import Progress
from growgan.core.text import printable

if TYPE_CHECKING:
    from growgan.data.photographs import Photograph
    from growgan.editing.projected import Projected

MOST = 1_000_000
"""Most steps, and most initial seeds."""
SUMMARY = "find the latents whose pictures best match photographs, for growgan edit and growgan video"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_model(parser)
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTOS", help="pictures, or folders and zips of them")
    parser.add_argument(
        "--out", type=Path, default=Path("projected.safetensors"), metavar="FILE", help="(projected.safetensors); "
        "photographs in it are kept and not projected again"
    )  # fmt: skip
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="photographs above their pictures (default: next to --out)"
    )
    parser.add_argument(
        "--crop", type=parse_crop, metavar="L,T,R,B", help="the part of each: pixels, or fractions if all are at "
        "most 1 (default: the source's own, else the centre square). Align faces like the model's: data align"
    )  # fmt: skip
    parser.add_argument(
        "--latents-only", action="store_true", help="restrict to pictures the model can generate from a latent"
    )
    parser.add_argument(
        "--steps", type=int, default=300, metavar="N", help="steps for the latent, then for the rest (default 300)"
    )
    parser.add_argument(
        "--starts", type=int, default=500, metavar="N", help="seeds to try; the nearest are the starts (default 500)"
    )
    parser.add_argument("--class", dest="label", metavar="K", help="class of all (default: the nearest seed's)")
    parser.add_argument("--batch", type=int, default=4, metavar="N", help="pictures per batch (default 4)")
    add_working_device(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file after each photograph, and the sheet; print each picture's distance from its photograph."""
    sheet_path = sheet_beside(args.out, args.sheet)
    for path in (args.out, sheet_path):
        if among := next((photos for photos in args.photos if lies_in(path, photos)), None):
            where = f"is in {among}, among the photographs" if among.is_dir() else "is one of the photographs"
            raise ConfigError(f"{path} {where}: choose another --out or --sheet")
    check_own(sheet_path, "--sheet")
    if min(args.starts, args.steps, args.batch) < 1:
        raise ConfigError("--starts, --steps and --batch must be at least 1")
    if max(args.starts, args.steps) > MOST:
        raise ConfigError(f"--starts and --steps must be at most {MOST:,}")

    from growgan.editing import projected, sheet
    from growgan.editing.projection import Projector, to_photo
    from growgan.sampling.images import save_png
    from growgan.sampling.model import Model

    model = load_model(args.model, args.device, "float32")
    if not isinstance(model, Model):
        raise ConfigError(f"{args.model}: projection needs a model file, not an .onnx")
    label = model.label(args.label) if args.label is not None else None
    settings = f"{args.steps} steps from the nearest of {args.starts} seeds"
    settings += f", class {label}" * (label is not None) + ", latents only" * args.latents_only
    settings += f", crop {','.join(f'{edge:g}' for edge in args.crop)}" if args.crop is not None else ""
    found = kept(args.out, model.file.hash, settings)
    photos = read(args.photos, args.crop, model.resolution, model.spec.channels, sheet.MOST_PHOTOGRAPHS)
    there = found.digests if found is not None else ()
    missing = {digest: one for digest, one in photos.items() if digest not in there}
    if missing:
        with Progress(args.starts, "pictures of seeds") as progress:
            projector = Projector(
                model, starts=args.starts, steps=args.steps, free=not args.latents_only, label=label,
                batch=args.batch, advance=progress.advance,
            )  # fmt: skip
        with Progress(len(missing) * projector.work, "steps") as progress:
            for digest, (name, pixels) in missing.items():
                point = projector(to_photo(pixels), progress.advance)
                before = kept(args.out, model.file.hash, settings)  # another command may have added to it meanwhile
                found = projected.added(before, name, digest, point, model.file.hash, settings)
                projected.save(args.out, found)
    assert found is not None
    rows = [found.digests.index(digest) for digest in photos]
    width = max(10, *(len(printable(name)) for name, _ in photos.values()))
    print(f"number     {'photograph':<{width}}  error, of 255")
    for row, (name, _) in zip(rows, photos.values(), strict=True):
        print(f"photo{row:04d}  {printable(name):<{width}}  {found.errors[row]:.1f}")
    drawn = sheet.beside(model, [pixels for _, pixels in photos.values()], found.walk(model).cells(rows), args.batch)
    save_png(sheet_path, drawn, {"model": model.file.hash, "settings": settings})
    print(args.out)
    print(sheet_path)
    return 0


def lies_in(path: Path, photos: Path) -> bool:
    """Whether a file is one of the photographs, or would be one next time."""
    inner, outer = path.resolve(), photos.resolve()
    return inner == outer or (photos.is_dir() and inner.is_relative_to(outer))


def kept(out: Path, model: str, settings: str) -> Projected | None:
    """What the file holds so far. Raises `ConfigError` if it was made with other settings."""
    from growgan.editing import projected

    if not out.exists():
        return None
    found = projected.read(out)
    if found.model != model:
        raise ConfigError(f"{out} holds photographs projected with a different model file: choose another --out")
    if found.settings != settings:
        raise ConfigError(f"{out} was made with {found.settings}, not {settings}: choose another --out")
    return found


def read(
    paths: list[Path], crop: tuple[float, float, float, float] | None, resolution: int, channels: int, most: int
) -> dict[str, Photograph]:
    """Name and pixels of each photograph by its digest; reports what is left out. Raises `DataError`."""
    from growgan.data.photographs import read_photographs
    from growgan.data.prepare import list_skipped
    from growgan.data.sources import Skipped

    photos: dict[str, Photograph] = {}
    skipped: list[Skipped] = []
    with Progress(None, "photographs") as progress:
        for one in progress.counting(read_photographs(paths, resolution, channels, crop)):
            if isinstance(one, Skipped):
                skipped.append(one)
            elif (first := photos.setdefault(hashlib.sha256(one[1].tobytes()).hexdigest(), one)) is not one:
                skipped.append(Skipped(one[0], f"equal to {first[0]}"))
            if len(photos) > most:
                raise DataError(f"{paths[0]} ...: at most {most} photographs can be projected at once")
    for line in list_skipped(skipped):
        print(f"growgan: {line}", file=sys.stderr)
    if not photos:
        raise DataError(f"no photograph in {', '.join(map(str, paths))}")
    return photos
