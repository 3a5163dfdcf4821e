"""The model card says what the file says, in the hub's own form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from growgan.core.errors import ConfigError
from growgan.models.hub import Address
from growgan.sharing.card import FIELDS, LIMITS, merged
from growgan.sharing.export import Subject
from growgan.sharing.push import card_of

MakeSubject = Callable[..., Subject]
ADDRESS = Address("me/discs")


def front_matter(text: str) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def test_everything_that_is_known_is_said(make_subject: MakeSubject) -> None:
    texts = [f"{name}=The {name} of it." for name in FIELDS if name != "license"]
    names = {"class_names": ["red", "green"], "data": "abc123", "loss": "wgan_gp"}
    text = card_of(make_subject(texts=(*texts, "license=cc-by-nc-4.0"), training=names, num_labels=2), ADDRESS)
    for words in (
        *(f"The {name} of it." for name in FIELDS if name != "license"),
        *("cc-by-nc-4.0", "16x16 pixels", "red, green", "abc123", "wgan_gp", "1,234", "| swd | 12.5 |", "0.0.1"),
        *('growgan.load("hf://me/discs")', "![Pictures by The title of it.](samples.png)", "# The title of it."),
    ):
        assert words in text
    assert front_matter(text)["license"] == "cc-by-nc-4.0" and front_matter(text)["library_name"] == "growgan"
    assert "pipeline_tag" not in front_matter(text)


def test_what_is_not_known_is_said_too(make_subject: MakeSubject) -> None:
    text = card_of(make_subject(), ADDRESS)
    assert "# discs" in text and LIMITS in text
    for heading in ("Data", "Licence"):
        assert f"## {heading}\n\nNot stated" in text
    assert front_matter(text)["pipeline_tag"] == "unconditional-image-generation"
    assert "license" not in front_matter(text)


def test_a_licence_in_words_is_another_licence(make_subject: MakeSubject) -> None:
    found = front_matter(card_of(make_subject(texts=('license=For "us": only',)), ADDRESS))
    assert found["license"] == "other" and found["license_name"] == 'For "us": only'
    found = front_matter(card_of(make_subject(texts=("license=research",)), ADDRESS))
    assert found["license"] == "other" and found["license_name"] == "research"


def test_the_library_reads_the_card(make_subject: MakeSubject) -> None:
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard(card_of(make_subject(texts=("license=mit",)), ADDRESS))
    assert card.data.license == "mit" and card.data.library_name == "growgan" and "growgan" in card.data.tags


def test_fields_are_put_in_and_taken_out() -> None:
    assert merged({"license": "mit", "notes": "x"}, ["title= A = B ", "notes="]) == {"license": "mit", "title": "A = B"}
    for text in ("colour=red", "title", ""):
        with pytest.raises(ConfigError, match="--card takes FIELD=TEXT with one of title, license"):
            merged({}, [text])
