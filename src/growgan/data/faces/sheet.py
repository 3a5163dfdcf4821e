"""The contact sheet: samples of the faces that were kept, and of those that were not, by reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

from growgan.data.faces.judge import KEPT, VIEW, Verdict

COLUMNS = 12
MOST = {KEPT: 60}
"""Faces of a group that are shown; of the other groups, three rows."""
MOST_DROPPED = 36

MARGIN = 6
CAPTION = 14
HEADING = 30
INK, PALE, PAPER = "#202020", "#707070", "#ffffff"


@dataclass(slots=True)
class _Group:
    """Evenly spaced views: when there are too many, every second is dropped, and only half as many are added."""

    most: int
    count: int = 0
    stride: int = 1
    views: list[tuple[Image.Image, str]] = field(default_factory=list)

    def add(self, view: Image.Image | None, caption: str) -> None:
        if view is not None and self.count % self.stride == 0:
            self.views.append((view, caption))
            if len(self.views) > self.most:
                self.views = self.views[::2]
                self.stride *= 2
        self.count += 1


class Sheet:
    """Collects verdicts; holds a few hundred small pictures at most."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}

    def add(self, verdict: Verdict) -> None:
        """Count a verdict, and perhaps show it."""
        group = self._groups.setdefault(verdict.reason, _Group(MOST.get(verdict.reason, MOST_DROPPED)))
        group.add(verdict.view, verdict.detail)

    @property
    def counts(self) -> dict[str, int]:
        """Verdicts by reason: `KEPT`, then the most common first."""
        order = sorted(self._groups, key=lambda reason: (reason != KEPT, -self._groups[reason].count, reason))
        return {reason: self._groups[reason].count for reason in order}

    def draw(self) -> Image.Image:
        """Return the sheet: a heading with the count for each reason, then its samples with their numbers."""
        groups = [(reason, self._groups[reason]) for reason in self.counts]
        cell = VIEW + MARGIN
        rows = [-(-len(group.views) // COLUMNS) for _, group in groups]
        height = sum(HEADING + count * (cell + CAPTION) for count in rows) + MARGIN
        sheet = Image.new("RGB", (COLUMNS * cell + MARGIN, max(height, HEADING)), PAPER)
        pen, large, small = ImageDraw.Draw(sheet), ImageFont.load_default(18), ImageFont.load_default(11)
        top = 0
        for (reason, group), count in zip(groups, rows):
            shown = f", {len(group.views):,} of them shown" if len(group.views) < group.count else ""
            pen.text((MARGIN, top + 5), f"{reason}: {group.count:,}{shown}", INK, large)
            top += HEADING
            for place, (view, caption) in enumerate(group.views):
                x, y = MARGIN + place % COLUMNS * cell, top + place // COLUMNS * (cell + CAPTION)
                sheet.paste(view, (x + (VIEW - view.width) // 2, y + (VIEW - view.height) // 2))
                pen.text((x, y + VIEW), caption, PALE, small)
            top += count * (cell + CAPTION)
        return sheet
