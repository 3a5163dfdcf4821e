"""``growgan data download``: datasets from their official addresses."""

from __future__ import annotations

import argparse
from pathlib import Path

from growgan.core.progress import Progress

SUMMARY = "download cifar10, cifar100, mnist (PyTorch's mirror), fashion-mnist, svhn or svhn-extra from its address"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("name", metavar="NAME", help="cifar10, cifar100, mnist, fashion-mnist, svhn or svhn-extra")
    parser.add_argument("out", metavar="DIR", help="folder for the files; rerun to resume")


def run(args: argparse.Namespace) -> int:
    """Fetch and check the files, and say what to do with them."""
    from growgan.data.download import download

    files = download(args.name, Path(args.out), Progress)
    for file in files:
        print(file)
    source = files[0] if len(files) == 1 else Path(args.out)
    print(f"next: growgan data build {source} {args.name}.zip")
    return 0
