"""Subjects measured against one set, and the set against itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch

from growgan import __version__
from growgan.core.errors import ConfigError, ModelError, OutOfMemory, UserError
from growgan.core.text import memory_size
from growgan.data.dataset import ImageSet
from growgan.data.reals import Reals
from growgan.devices import free_memory
from growgan.evaluation.measures import KINDS, PIXELS, Kind, MeasureContext
from growgan.evaluation.requests import Request
from growgan.evaluation.results import Reference, Result, Terms
from growgan.evaluation.subjects import About, Say
from growgan.metrics.features import FeatureStore
from growgan.metrics.streams import Sample, Source, apart


@dataclass(frozen=True)
class Plan:
    """One measure of one subject, before it is taken."""

    request: Request
    count: int
    """Number of the subject's pictures."""
    reals: Reals
    known: int
    """Number of reals that they are compared with."""
    title: str
    terms: tuple[Terms, ...]
    """One for each of its numbers."""

    @property
    def kind(self) -> Kind:
        """How it is computed."""
        return KINDS[self.request.metric]


class Evaluator:
    """Measures subjects against one set."""

    def __init__(self, dataset: ImageSet, context: MeasureContext, seed: int, hint: Say) -> None:
        self.dataset = dataset
        self.context = context
        self.seed = seed
        self.hint = hint
        self._reals: dict[tuple[int, bool], Reals] = {}
        self._references: dict[tuple[Request, int, Reals], list[Reference]] = {}

    def plan(self, requests: Sequence[Request], source: Source, about: About, lack: Say) -> Iterator[Plan]:
        """Yield the measures that can be taken of a subject. lack: receives the reasons for those that cannot."""
        reals = self._reals_like(source, about)
        if source.channels != reals.channels:
            words = {1: "grey", 3: "colour"}
            self.hint(
                f"{source.name} has {words[source.channels]} pictures, {self.dataset.path} {words[reals.channels]} "
                "ones: grey is measured as three equal channels"
            )
        seen = set()
        for request in requests:
            plan = self._plan(request, source, reals, about)
            kind = plan.kind
            if source.resolution < kind.smallest:
                size = f"{source.resolution}x{source.resolution}"
                lack(f"{source.name}: {request.metric} is not defined for {size} pictures")
            elif min(plan.count, plan.known) < kind.fewest:
                few = min(plan.count, plan.known)
                lack(f"{source.name}: {request.metric} needs at least {kind.fewest} pictures and has {few}")
            elif plan.title not in seen:  # two numbers of pictures may be capped to the same
                seen.add(plan.title)
                yield plan

    def _plan(self, request: Request, source: Source, reals: Reals, about: About) -> Plan:
        kind = KINDS[request.metric]
        count = min(request.images, source.distinct or request.images)
        if kind.distance and not kind.repeats and not request.full:
            count = min(count, len(self.dataset))
        # All reals means each of them once, or once as it is and once mirrored.
        known = len(self.dataset) * (1 + reals.mirrored) if request.full else count
        store = self._store(kind)
        clean = store is not None and store.network.protocol == "clean"
        title = request.title(count, clean)
        if count < request.images:
            holder = source.name if count == source.distinct else self.dataset.path.name
            self.hint(f"{holder} holds {count:,} pictures: {request.title(request.images, clean)} becomes {title}")
        protocol = store.network.name if store else PIXELS
        names = [f"{title}_{part}" if part else title for part in kind.parts]
        against = (reals.mirrored, self.dataset.content_hash) if kind.distance else (None, None)
        terms = tuple(Terms(name, protocol, *against) for name in names)
        return Plan(request, count, reals, known, title, terms)

    def measure(self, plan: Plan, source: Source, about: About) -> list[Result]:
        """Return the numbers of one measure of one subject."""
        kind, reals = plan.kind, plan.reals
        self._check_memory(plan)
        found = kind.take(self.context, Sample(reals, 0, plan.known), Sample(source, 0, plan.count))
        if not all(math.isfinite(measured.value) for measured in found):
            raise ModelError("the result is not a finite number")
        return [
            Result(
                metric=terms.metric,
                value=measured.value,
                levels=measured.levels,
                deviation=measured.deviation,
                images=plan.count,
                real_images=plan.known if kind.distance else None,
                distinct_reals=min(plan.known, len(self.dataset) * (1 + reals.mirrored)) if kind.distance else None,
                resolution=source.resolution,
                reference=reference,
                subject=about.subject,
                snapshot=about.snapshot,
                nimg=about.nimg,
                subject_hash=about.hash,
                against=str(self.dataset.path),
                against_hash=self.dataset.content_hash,
                mirrored=reals.mirrored,
                seed=self.seed,
                protocol=terms.protocol,
                growgan=__version__,
            )
            for terms, measured, reference in zip_longest(plan.terms, found, self._reference(plan))
        ]

    def _store(self, kind: Kind) -> FeatureStore | None:
        return {"inception": self.context.inception, "vgg": self.context.vgg}.get(kind.network or "")

    def _reals_like(self, source: Source, about: About) -> Reals:
        key = source.resolution, about.mirrored
        if key not in self._reals:
            self._reals[key] = Reals(self.dataset, *key)
        return self._reals[key]

    def _check_memory(self, plan: Plan) -> None:
        kind = plan.kind
        needed = kind.room(plan.count, plan.known, plan.reals.resolution)
        free = free_memory(self.context.device if kind.network is None else torch.device("cpu"))
        if free is not None and kind.network is None:
            free += self.context.kept_bytes
        if free is not None and needed > free:
            raise OutOfMemory(
                f"it needs about {memory_size(needed)} of memory and {memory_size(free)} is free: use fewer pictures"
            )

    def _reference(self, plan: Plan) -> list[Reference]:
        """Measure reals as if they were fakes: other reals against the same ones."""
        key = plan.request, plan.count, plan.reals
        if key not in self._references:
            try:
                self._references[key] = self._take_reference(plan)
            except UserError as error:  # no reason to lose the number that it would stand next to
                self.hint(f"{plan.title}: no value of reals next to it: {error}")
                self._references[key] = []
        return self._references[key]

    def _take_reference(self, plan: Plan) -> list[Reference]:
        reals, total = plan.reals, len(self.dataset)
        if not plan.kind.distance:
            known = others = Sample(reals, 0, min(plan.count, total))
        elif plan.request.full:
            # Fewer reals on either side would be another measure: as many as fakes are held out, or there is none.
            known, others = Sample(reals, plan.count, max(total, plan.count)), Sample(reals, 0, plan.count)
            if len(known) < plan.count:
                return []
        else:
            known, others = (Sample(reals, part.start, part.stop) for part in apart(plan.count, total))
        if len(others) < plan.kind.fewest:
            return []
        try:
            found = plan.kind.take(self.context, known, others)
        except ConfigError:  # too few for this measure
            return []
        sizes = len(others), len(known) if plan.kind.distance else None
        return [Reference(measured.value, measured.levels, *sizes) for measured in found]
