"""``growgan data info``: what a set holds, and whether its pictures are sound."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from growgan.cli.data.words import format_size
from growgan.core.progress import Progress

if TYPE_CHECKING:
    from growgan.data.inspect import CheckResult, SetInfo

SUMMARY = "say what a set holds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("set", metavar="SET", help="a finished set")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--check", action="store_true", help="decode every picture; list broken and equal ones")


def run(args: argparse.Namespace) -> int:
    """Describe the set; 1 where a check finds broken pictures."""
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
    print(f"size on disk: {format_size(info.size_bytes)}")
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
