"""``growgan data labels``: show or replace the labels of a finished dataset."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from growgan.core.errors import ConfigError
from growgan.core.progress import Progress
from growgan.core.text import counted, printable

SUMMARY = "list or replace the labels of a finished dataset"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("set", metavar="SET", help="a finished dataset")
    parser.add_argument(
        "--from",
        dest="labels",
        metavar="L",
        help="new labels: folders (where the pictures came from), none, or a CSV, JSON or list_attr_celeba.txt",
    )
    parser.add_argument("--columns", metavar="A,B...", help="label columns to use, if the table has several")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Set the labels, if new ones are given, and print how many pictures each class has."""
    from growgan.data.dataset import open_dataset
    from growgan.data.inspect import count_labels
    from growgan.data.relabel import relabel

    columns = [] if args.columns is None else [name.strip() for name in args.columns.split(",")]
    if not all(columns):
        raise ConfigError(f"--columns {args.columns!r}: must be column names, such as Smiling,Male")
    if args.labels is not None:
        relabel(Path(args.set), args.labels, columns, Progress)
    elif columns:
        raise ConfigError("--columns needs --from")
    with open_dataset(args.set) as dataset:
        counts, several = count_labels(dataset), dataset.multi_label
    if args.json:
        print(json.dumps({"multi_label": several, "labels": counts}))
        return 0
    words = f"{counted(len(counts), 'class')}{', several per picture' if several else ''}" if counts else "no labels"
    print(f"{args.set}: {words}")
    for name, count in counts.items():
        print(printable(f"  {name}: {count:,}"))
    return 0
