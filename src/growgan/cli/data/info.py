"""``growgan data info``: what a dataset or any pictures contain, and whether they are intact."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from growgan.cli.data.source_arguments import add_source_arguments
from growgan.core.progress import Progress
from growgan.core.text import counted, file_size, printable

if TYPE_CHECKING:
    from growgan.data.inspect import CheckResult, SetInfo, SourceInfo

SUMMARY = "show what a dataset holds, or what could be built from a source"
STATUS = "Exit status: 0; 1 if --check finds broken pictures; 2 on errors."

LISTED = 12
"""Most sizes, classes and reasons printed; --json has all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("set", metavar="SET", help="a finished dataset, or any source `data build` accepts")
    add_source_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--check", action="store_true", help="decode every picture; list broken ones and duplicates")


def run(args: argparse.Namespace) -> int:
    """Describe the dataset; returns 1 if a check finds broken pictures."""
    from growgan.data.dataset import is_finished, open_dataset
    from growgan.data.inspect import check_set, check_source, describe_set, describe_source
    from growgan.data.pictures import strict_pillow
    from growgan.data.sources import Wishes, open_source

    info: SetInfo | SourceInfo
    check = None
    with strict_pillow():
        with open_source(args.set, args.kind, Wishes(args.split)) as source:
            finished = args.kind is None and is_finished(source)
            if not finished:
                info = describe_source(source, Progress)
                check = check_source(source, Progress) if args.check else None
        if finished:
            with open_dataset(args.set) as dataset:
                info = describe_set(dataset)
                check = check_set(dataset, Progress) if args.check else None
    if args.json:
        found = {} if check is None else {"broken": check.broken, "duplicates": check.duplicates}
        print(json.dumps(info.to_json() | found))
    else:
        _print_info(info, check)
    return 1 if check is not None and check.broken else 0


def _print_info(info: SetInfo | SourceInfo, check: CheckResult | None) -> None:
    from growgan.data.inspect import SetInfo

    if isinstance(info, SetInfo):
        _print_set(info)
    else:
        _print_source(info)
    if check is not None:
        print(f"broken: {len(check.broken):,}")
        for message in check.broken:
            print(printable(f"  {message}"))
        print(f"duplicates: {counted(len(check.duplicates), 'group')}")
        for names in check.duplicates:
            print(printable(f"  {', '.join(names)}"))


def _print_set(info: SetInfo) -> None:
    print(
        f"{info.path}: {counted(info.count, 'picture')} of {info.resolution}x{info.resolution},"
        f" {counted(info.channels, 'channel')}"
    )
    print(f"size on disk: {file_size(info.size_bytes)}")
    print(f"pyramid: {'ready' if info.pyramid else 'not built yet'}")
    print(f"content hash: {info.content_hash}")
    if info.labels:
        print(f"labels: {counted(len(info.labels), 'class')}{', several per picture' if info.multi_label else ''}")
    for name, count in info.labels.items():
        print(printable(f"  {name}: {count:,}"))


def _print_source(info: SourceInfo) -> None:
    print(f"{info.path}: {counted(info.count, 'picture')}, not a finished dataset; {file_size(info.size_bytes)}")
    for title, counts in (("formats", info.formats), ("sizes", info.sizes), ("channels", info.channels)):
        _print_counts(title, counts)
    _print_counts("labels", info.labels)
    if info.resolution is not None:
        made = f"{info.resolution}x{info.resolution}, {info.framing}"
        print(f"`growgan data build` would produce: {made}")
    print(f"unusable: {len(info.unusable):,}")
    for name, reason in info.unusable[:LISTED]:
        print(printable(f"  {name}: {reason}"))
    if len(info.unusable) > LISTED:
        print(f"  and {len(info.unusable) - LISTED:,} more")


def _print_counts(title: str, counts: dict[str, int]) -> None:
    if counts:
        words = [f"{name} {count:,}" for name, count in list(counts.items())[:LISTED]]
        more = f" and {len(counts) - LISTED:,} more" if len(counts) > LISTED else ""
        print(printable(f"{title}: {', '.join(words)}{more}"))
