"""The model card: what people must know about a model before using it, from the description in its file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from growgan.core.errors import ConfigError
from growgan.models.description import DescribedFile

FIELDS = {
    "title": "the model's name",
    "license": "licence of the weights, e.g. cc-by-nc-4.0 (the Hub's identifiers) or other",
    "author": "who made it",
    "data": "what it was trained on, its source and terms",
    "intended_use": "what it is for",
    "limits": "what it cannot do, and known problems",
    "notes": "anything else",
}
"""What a card may hold in addition to the rest of the file's description."""

USE = "Research, teaching and art: generating pictures, walks through latent space, further training."
LIMITS = (
    "The pictures are synthetic: any resemblance to a person or place is coincidental. They repeat the biases of the "
    "training data, and no measure rules out that individual training pictures were memorised. Not for "
    "making decisions about people or passing pictures off as photographs."
)
# https://huggingface.co/docs/hub/repositories-licenses; a repository with any other identifier is refused.
LICENSES = (
    "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m"
    " afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0"
    " cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0"
    " cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0"
    " cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 agpl-3.0 gfdl gpl"
    " gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql"
    " ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license llama2 gemma unknown other"
)
"""The hub's identifiers of licences, between spaces."""
TAGS = ("growgan", "progressive-gan", "gan", "image-generation")


def merged(card: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """A card with fields such as ``license=mit`` set; an empty text removes the field. Raises `ConfigError`."""
    card = dict(card)
    for text in texts:
        name, equals, value = text.partition("=")
        if name not in FIELDS or not equals:
            raise ConfigError(f"--card takes FIELD=TEXT with one of {', '.join(FIELDS)}, not {text!r}")
        card.pop(name, None)
        if value.strip():
            card[name] = value.strip()
    return card


def to_markdown(file: DescribedFile, address: str, card: dict[str, Any], measures: dict[str, Any], sample: str) -> str:
    """README.md with its front matter, as the hub reads it. sample: file name of a grid of pictures."""
    title = str(card.get("title") or address.rpartition("/")[2])
    spec, training = file.spec, file.training
    size = f"{file.resolution}x{file.resolution}"
    kind = {1: "grey ", 4: "RGBA "}.get(spec.channels, "")
    names = training.get("class_names") or ([f"{spec.num_labels} unnamed labels"] if spec.num_labels else [])
    shown = f", of: {', '.join(map(str, names))}" if names else ""
    sections = [
        _front_matter(card, conditional=bool(spec.num_labels)),
        f"# {title}\n\n![Pictures by {title}]({sample})\n\n"
        f"A progressively grown GAN (Karras et al., [arXiv:1710.10196](https://arxiv.org/abs/1710.10196)) generating "
        f"{kind}pictures of {size} pixels{shown}.",
        f"## Use\n\n```python\nimport growgan  # also needs: pip install huggingface_hub\n\n"
        f'G = growgan.load("{address}")\nG.sample(8, seed=1)  # PIL images of seeds 1 to 8\n```',
        f"## Intended use\n\n{card.get('intended_use', USE)}",
        f"## Limits\n\n{card.get('limits', LIMITS)}",
        f"## Data\n\n{card.get('data', 'Not stated.')}{_data_hash(training)}",
        f"## Training\n\n{_training(training)}",
        f"## Measures\n\n{_measures(measures)}",
        f"## Licence\n\n{card.get('license', 'Not stated: ask before you use it.')}{_terms_of_parent(training)}",
    ]
    if card.get("author"):
        sections.append(f"## Author\n\n{card['author']}")
    if card.get("notes"):
        sections.append(f"## Notes\n\n{card['notes']}")
    return "\n\n".join(sections) + "\n"


def _front_matter(card: dict[str, Any], conditional: bool) -> str:
    """What the hub sorts models by, as YAML, in which JSON strings are valid."""
    lines = ["library_name: growgan", *([] if conditional else ["pipeline_tag: unconditional-image-generation"])]
    if text := str(card.get("license", "")):
        lines += (
            [f"license: {text}"]
            if text in LICENSES.split()
            else ["license: other", f"license_name: {json.dumps(text)}"]
        )
    return "\n".join(["---", *lines, "tags:", *(f"- {tag}" for tag in TAGS), "---"])


def _data_hash(training: dict[str, Any]) -> str:
    return f"\n\nHash of the dataset: `{training['data']}`." if training.get("data") else ""


def _terms_of_parent(training: dict[str, Any]) -> str:
    """Requirements of the model that this one started from: its weights live on in this one."""
    parent = training.get("parent", {})
    return f"\n\nIt started from {parent.get('model')}, licensed: {parent['license']}." if parent.get("license") else ""


def _training(training: dict[str, Any]) -> str:
    known = {
        "growgan": "growgan",
        "preset": "preset",
        "loss": "loss",
        "nimg": "real pictures shown",
        "seconds": "seconds",
        "resolution": "resolution reached",
        "alpha": "weight of the newest layers",
    }
    rows = [f"| {words} | {_number(training[key])} |" for key, words in known.items() if key in training]
    if parent := training.get("parent"):
        model, sha256 = (parent.get(key, "") for key in ("model", "sha256"))
        rows.insert(0, f"| started from | {model}, SHA-256 `{sha256}` |")
    return "\n".join(["| | |", "| --- | --- |", *rows]) if rows else "Not stated."


def _measures(measures: dict[str, Any]) -> str:
    if not measures:
        return "None."
    rows = ["| measure | value | pictures | real data |", "| --- | --- | --- | --- |"]
    for name, found in sorted(measures.items()):
        found = found if isinstance(found, dict) else {"value": found}
        reference = found.get("reference")
        floor = _number(reference.get("value")) if isinstance(reference, dict) else ""
        rows.append(f"| {name} | {_number(found.get('value'))} | {_number(found.get('images', ''))} | {floor} |")
    return "\n".join(rows) + "\n\nWhat they mean, and when they mislead: see growgan's docs/measures.md."


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
