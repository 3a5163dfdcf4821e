"""Publishes a model as a repository on the hub: its shipped file, its card, a grid of its pictures."""

from __future__ import annotations

import tempfile
from pathlib import Path

from growgan.core.files import write_text
from growgan.models import hub
from growgan.models.hub import Address
from growgan.sampling import images
from growgan.sharing.card import to_markdown
from growgan.sharing.export import Subject, export

SAMPLES = "samples.png"


def push(subject: Subject, address: Address, private: bool = False, half: bool = True) -> str:
    """Upload the shipped form of a model with its card, in one commit. Returns the commit's address."""
    with tempfile.TemporaryDirectory(prefix="growgan-push-") as temporary:
        folder = Path(temporary)
        export(subject, folder / hub.MODEL, half=half)
        images.save_png(folder / SAMPLES, subject.model.preview())
        write_text(folder / hub.CARD, card_of(subject, address))
        return hub.publish(address, folder, f"{address.repository}: {subject.model.file.describe()}", private)


def card_of(subject: Subject, address: Address) -> str:
    """README.md for the hub."""
    return to_markdown(subject.model.file, str(address), subject.card, subject.measures, SAMPLES)
