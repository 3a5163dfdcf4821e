"""``growgan data compare``: whether two datasets hold the same pictures."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from growgan.core.progress import Progress
from growgan.core.text import counted, printable

SUMMARY = "check whether two datasets or sources hold the same pictures, pixel by pixel"
STATUS = (
    "Exit status: 0 if they do, with the same labels, whatever the names, files and order; 1 if they do not; "
    "2 if that cannot be decided, because of broken pictures or errors."
)
VERDICTS = {True: 0, False: 1, None: 2}

LISTED = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("a", metavar="A", help="a finished dataset, or any source `data build` accepts")
    parser.add_argument("b", metavar="B", help="another")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with all names")


def run(args: argparse.Namespace) -> int:
    """Compare, and return a status as documented by `STATUS`."""
    from growgan.data.compare import compare
    from growgan.data.pictures import strict_pillow
    from growgan.data.sources import open_source

    with strict_pillow(), open_source(args.a) as a, open_source(args.b) as b:
        found = compare(a, b, Progress)
    if args.json:
        print(json.dumps(asdict(found) | {"same": found.are_same}))
        return VERDICTS[found.are_same]
    print(f"{args.a}: {counted(found.count_a, 'picture')}; {args.b}: {counted(found.count_b, 'picture')}")
    lists = {
        f"only in {args.a}": found.only_a,
        f"only in {args.b}": found.only_b,
        "with different labels": found.relabelled,
        "broken": [f"{name}: {reason}" for name, reason in found.broken],
    }
    for title, names in lists.items():
        if names:
            more = ["..."] if len(names) > LISTED else []
            print(printable(f"{title}: {len(names):,} ({', '.join([*names[:LISTED], *more])})"))
    if found.are_same:
        print(f"the same pictures and labels, {'' if found.same_order else 'not '}in the same order")
    elif found.are_same is None:
        print("all others are the same pictures and labels; broken ones cannot be compared")
    return VERDICTS[found.are_same]
