"""Nearest neighbours for people to look at: a sheet of pictures, a table with held-out reals, and JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from growgan.core.fonts import sans
from growgan.evaluation.neighbours import Answer, Found, picture_name
from growgan.evaluation.results import align
from growgan.sampling.images import to_picture

MOST_SHOWN = 32
CELL = 128
"""Pixels a side of a picture on the sheet."""
MARGIN, CAPTION, HEADING = 6, 28, 24
BLOCK_ROWS = 16
"""Fakes in one column of the sheet; more go into further columns."""
INK, PALE, PAPER = "#202020", "#707070", "#ffffff"

ENOUGH = 100
"""Held-out reals needed for their 1% quantile to mean anything."""
QUANTILES = {"least": 0.0, "1 %": 0.01, "5 %": 0.05, "median": 0.5, "95 %": 0.95}


def summary(found: Found) -> dict[str, float]:
    """Return quantiles of the distance to the nearest training picture, and of its share of that to the last one.

    A copy is much nearer to one training picture than to all others, however smooth or ordinary it is.
    """
    first, last = found.distances[:, 0], found.distances[:, -1]
    share = np.divide(first, last, out=np.zeros_like(first), where=first > 0)
    distances = {name: float(np.quantile(first, q)) for name, q in QUANTILES.items()}
    return distances | {"least share": float(share.min()), "median share": float(np.median(share))}


def nearer_than_reals(answer: Answer) -> int | None:
    """How many fakes are nearer to a training picture than 99 of 100 held-out reals; None without a hundred."""
    if answer.held_out is None or len(answer.held_out.distances) < ENOUGH:
        return None
    return int((answer.fakes.distances[:, 0] < np.quantile(answer.held_out.distances[:, 0], 0.01)).sum())


def table(answer: Answer) -> str:
    """Distances to the nearest training picture: of fakes and, below them, of held-out reals."""
    groups = {"fakes": answer.fakes} | ({"held-out reals": answer.held_out} if answer.held_out else {})
    rows = [["", "pictures", *QUANTILES, "least share", "median share"]]
    for name, found in groups.items():
        rows.append([name, f"{len(found.distances):,}", *(f"{value:.4g}" for value in summary(found).values())])
    last = answer.fakes.distances.shape[1]
    lines = [align(rows), f"distances: to the nearest training picture; share: that over the distance to number {last}"]
    nearer = nearer_than_reals(answer)
    if nearer is not None:
        lines.append(f"nearer than 99% of held-out reals: {nearer:,} of {len(answer.fakes.distances):,} fakes")
    return "\n".join(lines)


def to_json(answer: Answer) -> dict[str, Any]:
    """Everything that was found, by picture, and the table's numbers."""
    question = answer.question
    groups = {"fakes": answer.fakes} | ({"held_out": answer.held_out} if answer.held_out else {})
    return {
        "model": str(answer.model.path),
        "model_hash": answer.model.hash,
        "data": str(answer.dataset.path),
        "data_hash": answer.dataset.content_hash,
        "held_out_data": None if question.held_out is None else str(question.held_out),
        "space": question.space,
        "box": answer.box,
        "truncation": question.truncation,
        "mirrored": answer.both_sides,
        "nearer_than_99_of_100_held_out": nearer_than_reals(answer),
        "held_out": None,
        **{name: {"summary": summary(found), "pictures": _entries(answer, found)} for name, found in groups.items()},
    }


def _entries(answer: Answer, found: Found) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "neighbours": [
                {
                    "name": picture_name(answer.dataset, int(index)),
                    "index": int(index),
                    "distance": float(distance),
                    "mirrored": bool(mirrored),
                }
                for index, distance, mirrored in zip(*rows)
            ],
        }
        for name, *rows in zip(found.pictures.names, found.indices, found.distances, found.mirrored)
    ]


def shown(answer: Answer) -> list[int]:
    """Return the fakes on the sheet: all, in order; of many, those nearest to a training picture, the nearest first."""
    distances = answer.fakes.distances[:, 0]
    if len(distances) <= MOST_SHOWN:
        return list(range(len(distances)))
    return [int(i) for i in distances.argsort(kind="stable")[:MOST_SHOWN]]


def draw(answer: Answer) -> Image.Image:
    """Draw the sheet: a fake on the left, its neighbours on the right with their names and distances."""
    fakes, numbers = answer.fakes, shown(answer)
    count = fakes.distances.shape[1]
    rows = min(len(numbers), BLOCK_ROWS)
    width = (1 + count) * (CELL + MARGIN) + 4 * MARGIN
    size = (-(-len(numbers) // rows) * width + MARGIN, HEADING + rows * (CELL + CAPTION) + MARGIN)
    sheet = Image.new("RGB", size, PAPER)
    pen, small = ImageDraw.Draw(sheet), ImageFont.truetype(sans(), 9)
    pen.text((MARGIN, 5), _heading(answer, len(numbers)), INK, ImageFont.truetype(sans(), 11))
    for place, number in enumerate(numbers):
        left, top = MARGIN + place // rows * width, HEADING + place % rows * (CELL + CAPTION)
        sheet.paste(_cell(fakes.pictures.all[number]), (left, top))
        pen.text((left, top + CELL), fakes.pictures.names[number], INK, small)
        near = answer.dataset.images(fakes.indices[number], answer.model.resolution)
        for k in range(count):
            x = left + 2 * MARGIN + (k + 1) * (CELL + MARGIN)
            mirrored = fakes.mirrored[number, k]
            sheet.paste(_cell(near[k][..., ::-1] if mirrored else near[k]), (x, top))
            name = picture_name(answer.dataset, int(fakes.indices[number, k]))
            distance = f"{fakes.distances[number, k]:.4g}" + (" mirrored" if mirrored else "")
            pen.text((x, top + CELL), name[-22:], INK, small)
            pen.text((x, top + CELL + 12), distance, PALE, small)
    return sheet


def _heading(answer: Answer, count: int) -> str:
    total = len(answer.fakes.distances)
    which = f"the {count} of {total:,} fakes nearest to one" if count < total else f"{count} fakes"
    left, top, right, bottom = answer.box
    what = {"pixel": "pixels (root mean square, of 255)"}.get(
        answer.question.space, f"{answer.question.space}'s features"
    )
    return (
        f"Nearest of {len(answer.dataset):,} training pictures{', also mirrored' * answer.both_sides}: {which}. "
        f"Compared: {what} of columns {left} to {right}, rows {top} to {bottom}"
    )


def _cell(pixels: NDArray[np.uint8]) -> Image.Image:
    picture = to_picture(pixels).convert("RGB")
    larger = picture.width < CELL
    return picture.resize((CELL, CELL), Image.Resampling.NEAREST if larger else Image.Resampling.BOX)
