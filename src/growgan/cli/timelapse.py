"""``growgan timelapse``: a film of a run's grids of fakes."""

from __future__ import annotations

import argparse
from pathlib import Path

from growgan.cli.model import file_hash
from growgan.core.errors import ConfigError
from growgan.core.files import check_own
from growgan.core.geometry import parse_grid
from growgan.core.progress import Progress

SUMMARY = "make a film of a run: the same latents from the first pictures to the last"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the run folder")
    parser.add_argument(
        "--out", type=Path, default=Path("timelapse.mp4"), metavar="FILE", help="the film; its suffix sets the format"
    )
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="length of the film (default 20)")
    parser.add_argument("--fps", type=float, default=30.0, metavar="F", help="frames per second (default 30)")
    parser.add_argument(
        "--warp", type=float, default=1.5, metavar="W", help="above 1, early training plays slower (default 1.5)"
    )
    parser.add_argument(
        "--by",
        choices=("time", "images"),
        default="time",
        help="what advances evenly, before the warp: training time or images",
    )
    parser.add_argument(
        "--hold",
        type=float,
        metavar="S",
        help="seconds to hold the last grid (default 1, at most a quarter of the film)",
    )
    parser.add_argument("--grid", metavar="CxR", help="use only this many columns and rows of each grid")
    parser.add_argument("--no-captions", action="store_true", help="no line of text below the pictures")


def run(args: argparse.Namespace) -> int:
    """Write the film."""
    cells = parse_grid(args.grid) if args.grid is not None else None
    if not 0.1 <= args.warp <= 10:
        raise ConfigError(f"--warp must be between 0.1 and 10, not {args.warp:g}")

    from growgan.core.runfiles import RunFiles
    from growgan.sampling import films
    from growgan.training import timelapse

    films.check(args.out, args.fps)
    check_own(args.out)
    count, folder = films.frames_in(args.seconds, args.fps), RunFiles(args.run)
    hold = args.hold if args.hold is not None else min(1.0, args.seconds / 4)
    if not 0 <= hold <= args.seconds:
        raise ConfigError(f"--hold must be between 0 and the {args.seconds:g} seconds of --seconds, not {hold:g}")
    shown = timelapse.chosen(timelapse.moments(folder), count, args.warp, args.by, round(hold * args.fps))
    # Films are shared: they contain no path of this machine.
    notes = {"run": folder.path.resolve().name, "settings": file_hash(folder.config)}
    notes |= {"kimg": f"{shown[-1].nimg / 1000:g}", "frames": str(count), "fps": f"{args.fps:g}"}
    notes |= {"by": args.by, "warp": f"{args.warp:g}", "hold": f"{hold:g}", "grid": args.grid or "whole"}
    notes |= {"captions": "no" if args.no_captions else "yes"}
    first, resolution = films.kept(args.out, notes), folder.read_config().network.resolution
    frames = timelapse.frames(shown, resolution, cells, not args.no_captions, first)
    with Progress(count - first, "frames") as progress:
        films.write(args.out, progress.counting(frames), args.fps, notes, first)
    print(args.out)
    return 0
