"""``growgan push``: a model on the Hugging Face Hub, with a card."""

from __future__ import annotations

import argparse

from growgan.cli.export import add_card_arguments, card_texts, parse_precision, remind
from growgan.cli.model import add_model
from growgan.core.progress import warn

SUMMARY = "upload a model and its card to the Hugging Face Hub, for growgan.load('hf://OWNER/NAME')"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_model(parser)
    parser.add_argument("address", metavar="hf://OWNER/NAME", help="destination, with @BRANCH if not the main one")
    parser.add_argument("--precision", metavar="P", help="precision of the weights: float16 (default) or float32")
    parser.add_argument("--private", action="store_true", help="create a private repository")
    parser.add_argument("--dry-run", action="store_true", help="print the card and upload nothing")
    add_card_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the files to a temporary folder and upload them in one commit."""
    half = parse_precision(args.precision)

    from growgan.models import hub
    from growgan.sharing.export import open_subject
    from growgan.sharing.push import card_of, push

    address = hub.parse_repository(args.address)
    subject = open_subject(args.model, card_texts(args), args.measures)
    if "license" not in subject.card:
        warn("the card states no licence; add one with --license ID")
    if args.dry_run:
        print(card_of(subject, address), end="")
        return 0
    remind(subject)
    print(push(subject, address, private=args.private, half=half is not False))
    return 0
