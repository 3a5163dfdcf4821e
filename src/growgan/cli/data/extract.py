"""``growgan data extract``: from a dataset back to plain files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from growgan.cli.data.source_arguments import add_source_arguments
from growgan.core.progress import Progress
from growgan.core.text import counted

SUMMARY = "write the pictures of a dataset, or any source, as plain files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("set", metavar="SET", help="a finished dataset, or any source `data build` accepts")
    parser.add_argument("out", metavar="OUT", help="a new folder")
    add_source_arguments(parser)
    parser.add_argument("--by-class", action="store_true", help="one folder per class")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N pictures")


def run(args: argparse.Namespace) -> int:
    """Write the files; what was left out is reported on stderr, one per line."""
    from growgan.data.extract import extract
    from growgan.data.pictures import strict_pillow
    from growgan.data.prepare import list_skipped
    from growgan.data.sources import Wishes, open_source

    with strict_pillow(), open_source(args.set, args.kind, Wishes(args.split)) as source:
        count, skipped = extract(source, Path(args.out), by_class=args.by_class, limit=args.limit, progress=Progress)
    for line in list_skipped(skipped, None):
        print(line, file=sys.stderr)
    print(f"{args.out}: {counted(count, 'picture')}")
    return 0
