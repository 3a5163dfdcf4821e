"""``growgan data``: make a set of pictures, and look at one."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from growgan.core.errors import DataError
from growgan.core.geometry import parse_grid
from growgan.core.progress import Progress

if TYPE_CHECKING:
    from growgan.data.inspect import CheckResult, SetInfo

SUMMARY = "make a set of pictures to train on, and look at one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare build, info and show."""
    commands = parser.add_subparsers(dest="data_command", required=True, metavar="COMMAND")
    _add_build(commands.add_parser("build", help="make a finished set from a folder or zip of pictures"))
    _add_info(commands.add_parser("info", help="say what a set holds"))
    _add_show(commands.add_parser("show", help="draw a contact sheet of a set"))


def run(args: argparse.Namespace) -> int:
    """Do what the sub-command says and return the exit status."""
    return {"build": _run_build, "info": _run_info, "show": _run_show}[args.data_command](args)


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SRC", help="folder or zip of pictures of any size and kind")
    parser.add_argument("out", metavar="OUT", help="the set: a zip where it ends in .zip, else a folder")
    parser.add_argument("--resolution", type=int, metavar="N", help="power of two (default: what 9 of 10 reach)")
    parser.add_argument(
        "--crop", type=_parse_crop, metavar="L,T,R,B", help="pixels, or fractions where all are at most 1"
    )
    parser.add_argument("--channels", type=int, metavar="N", help="1, 3 or 4 (default: 1 if all are grey, else 3)")
    parser.add_argument("--labels", metavar="folders", help="make the top folders the classes")
    parser.add_argument("--limit", type=int, metavar="N", help="use the first N usable pictures")
    parser.add_argument("--format", default="png", metavar="png|webp|jpg", help="of pictures that change (png)")
    parser.add_argument("--quality", type=int, metavar="Q", help="of webp and jpg, 1 to 100 (95)")
    parser.add_argument("--strict", action="store_true", help="stop at the first unusable picture")
    parser.add_argument("--upscale", action="store_true", help="enlarge pictures that are too small")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing OUT")


def _add_info(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("set", metavar="SET", help="a finished set")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--check", action="store_true", help="decode every picture; list broken and equal ones")


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("set", metavar="SET", help="a finished set")
    parser.add_argument("--grid", default="8x4", metavar="CxR", help="columns and rows (8x4)")
    parser.add_argument("--out", required=True, metavar="FILE.png", help="where the sheet goes")


def _run_build(args: argparse.Namespace) -> int:
    from growgan.data.build import build
    from growgan.data.prepare import list_skipped

    report = build(
        args.source,
        args.out,
        resolution=args.resolution,
        crop=args.crop,
        channels=args.channels,
        labels=args.labels,
        limit=args.limit,
        strict=args.strict,
        format=args.format,
        quality=args.quality,
        upscale=args.upscale,
        overwrite=args.overwrite,
        progress=Progress,
    )
    for line in list_skipped(report.skipped, None):
        print(line, file=sys.stderr)
    print(
        f"{report.path}: {report.count:,} pictures of {report.resolution}x{report.resolution},"
        f" {report.channels} channels, {report.framing}; {report.copied:,} copied as they were,"
        f" {len(report.skipped):,} skipped; {_format_size(report.size_bytes)} in {report.seconds:.1f} s"
    )
    if report.class_names:
        print(f"classes: {', '.join(report.class_names)}")
    return 0


def _run_info(args: argparse.Namespace) -> int:
    from growgan.data.dataset import open_dataset
    from growgan.data.inspect import check_set, describe_set

    with open_dataset(args.set) as dataset:
        info = describe_set(dataset)
        check = check_set(dataset, Progress) if args.check else None
    if args.json:
        found = {} if check is None else {"broken": check.broken, "duplicates": check.duplicates}
        print(json.dumps(info.to_json() | found, ensure_ascii=False))
    else:
        _print_info(info, check)
    return 1 if check is not None and check.broken else 0


def _print_info(info: SetInfo, check: CheckResult | None) -> None:
    print(f"{info.path}: {info.count:,} pictures of {info.resolution}x{info.resolution}, {info.channels} channels")
    print(f"size on disk: {_format_size(info.size_bytes)}")
    print(f"pyramid: {'ready' if info.pyramid else 'not made yet'}")
    print(f"content hash: {info.content_hash}")
    if info.labels:
        print(f"labels: {len(info.labels)} classes{', several a picture' if info.multi_label else ''}")
    for name, count in info.labels.items():
        print(f"  {name}: {count:,}")
    if check is not None:
        print(f"broken: {len(check.broken):,}")
        for message in check.broken:
            print(f"  {message}")
        print(f"equal pictures: {len(check.duplicates):,} groups")
        for names in check.duplicates:
            print(f"  {', '.join(names)}")


def _run_show(args: argparse.Namespace) -> int:
    from growgan.data.dataset import open_dataset
    from growgan.data.inspect import draw_sheet

    with open_dataset(args.set) as dataset:
        sheet = draw_sheet(dataset, *parse_grid(args.grid))
    try:
        sheet.save(args.out)
    except (OSError, ValueError) as error:
        raise DataError(f"{args.out}: cannot be written ({error})") from error
    print(args.out)
    return 0


def _parse_crop(text: str) -> tuple[float, ...]:
    parts = text.split(",")
    if len(parts) != 4:
        raise argparse.ArgumentTypeError("must be four numbers: left,top,right,bottom")
    try:
        return tuple(float(part) for part in parts)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be four numbers: left,top,right,bottom") from error


def _format_size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
