"""What a run shows and writes: the progress line, the log, TensorBoard, grids, snapshots, states."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from growgan.core import geometry
from growgan.core.errors import RunError, UserError
from growgan.core.progress import clock, write
from growgan.core.schedule import Phase, Schedule
from growgan.sampling import images, latents
from growgan.training import checkpoint
from growgan.training.cuda_graphs import Stats
from growgan.training.forecast import Forecast
from growgan.training.run import Moved, RunFolder
from growgan.training.snapshots import Snapshots
from growgan.training.state import TrainState
from growgan.training.step import read, tick_means
from growgan.training.tuning import Tuning

LIVE_SECONDS = 0.5
PLAIN_SECONDS = 60.0
GRID_BATCH = 16


class Report:
    """The callbacks of a run (`loop.Callbacks`). Every process has one; only the first one's shows and writes."""

    def __init__(
        self,
        run: RunFolder,
        schedule: Schedule,
        snapshots: Snapshots,
        forecast: Forecast,
        nimg: int,
        tuning: Tuning,
        writes: bool = True,
        stream: TextIO | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """writes: whether this process shows and writes. tell: receives permanent lines; None = they go to the stream.

        stream: where the progress line is redrawn; None = stderr.
        """
        self.run = run
        self.tuning = tuning
        self.writes = writes
        self.schedule = schedule
        self.snapshots = snapshots
        self.forecast = forecast
        self.stream = stream if stream is not None else sys.stderr
        self.live = self.stream.isatty()
        self._width = 0
        self._tell = tell or (lambda line: write(self.stream, f"{line}\n"))
        self.board = _open_board(run.tensorboard, nimg, self.say) if writes else None
        self._shown = time.monotonic()
        self._recent: tuple[int, int, float] = (0, 0, 0.0)
        """Resolution of the steps since the last line, their images and seconds."""
        self._ticked: tuple[float, int, float] | None = None
        """When the last tick ended, and the images and seconds of training by then."""
        self._pending: list[dict[str, Any]] = []

    def say(self, line: str) -> None:
        """Show a permanent line."""
        if not self.writes:
            return
        if self.live:
            write(self.stream, "\r" + " " * self._width + "\r")
        self._tell(line)

    def write_first(self, state: TrainState, phase: Phase) -> None:
        """Write the grid of fakes before the first step. Raises `RunError` if the disk cannot be written."""
        grid = self.draw_fakes(state, phase)
        state.ranks.on_first(lambda: images.save_png(self.run.fakes(state.nimg), grid) if grid is not None else None)

    def before_stage(self, state: TrainState, phase: Phase) -> None:
        """See `loop.Callbacks`."""
        self.tuning.prepare(state, phase)

    def after_step(self, state: TrainState, phase: Phase, stats: Stats, seconds: float) -> None:
        """Redraw the progress line if it is due."""
        if not self.writes:
            return
        if self._recent[0] != phase.resolution:
            self._observe()
        _, count, spent = self._recent
        count += phase.minibatch * self.schedule.config.d_repeats
        self._recent = (phase.resolution, count, spent + seconds)
        now = time.monotonic()
        if now - self._shown < (LIVE_SECONDS if self.live else PLAIN_SECONDS):
            return
        self._shown = now
        line = self._line(state, phase, read(stats))
        if self.live:
            write(self.stream, "\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self.say(line)

    def after_tick(self, state: TrainState, phase: Phase, last: bool) -> None:
        """Write the log and, if due, a grid and a snapshot."""
        self._see_that_it_is_there()
        self._observe_between(state)
        due = last or state.tick % self.snapshots.config.snapshots.image_ticks == 0
        grid = self.draw_fakes(state, phase) if due else None
        due = last or state.tick % self.snapshots.config.snapshots.model_ticks == 0
        if due and self.writes:  # before it is measured, which may take long
            self._attempt(lambda: self.snapshots.write(state, phase, None))
        measured = self._measured(state, phase) if due else None
        if not self.writes:
            return
        means = tick_means(state)
        images_seen = state.nimg - state.tick_start
        line = self._line(state, phase, means)
        entry: dict[str, Any] = {
            "nimg": state.nimg,
            "kimg": state.nimg / 1000,
            "tick": state.tick,
            "resolution": phase.resolution,
            "alpha": phase.alpha,
            "minibatch": phase.minibatch,
            "g_lr": phase.g_lr * state.rate,
            "d_lr": phase.d_lr * state.rate,
            "total_kimg": self.schedule.total / 1000,
            "seconds": round(state.seconds, 3),
            "images_per_second": round(images_seen / max(state.seconds - state.tick_seconds, 1e-9), 2),
            **(
                {"augment_p": float(state.augment.p(phase.progress))}
                if state.augment.works_at(phase.resolution)
                else {}
            ),
            **means,
        }
        if grid is not None:
            self._attempt(lambda: images.save_png(self.run.fakes(state.nimg), grid))
        if measured:
            self._attempt(lambda: self.snapshots.write(state, phase, measured))
            entry["measures"] = {measured["name"]: measured}
            digits = ".2f" if measured["value"] >= 1 else ".2g"
            line += f"  {measured['name']} {measured['value']:{digits}}"
        self._pending.append(entry)
        self._attempt(self._flush)
        self._attempt(lambda: self._write_board(entry, state.nimg))
        self.say(f"tick {state.tick}  {line}")

    def _measured(self, state: TrainState, phase: Phase) -> dict[str, Any] | None:
        try:
            return self.snapshots.take_measure(state, phase)
        except UserError as error:  # in every process alike
            self.say(f"warning: this snapshot was not measured: {error}")
            return None

    def after_stage(self, state: TrainState, phase: Phase) -> None:
        """Keep the milestone of the stage."""
        self._see_that_it_is_there()
        if self.writes:
            self._attempt(lambda: self.snapshots.write_stage(state, phase))

    def save(self, state: TrainState, phase: Phase, grid: bool, leaving: bool) -> None:
        """Write the state, a grid if asked, and a snapshot when leaving; if that fails, the run continues.

        No state is written before pending files of earlier moments: a run resumed from it would lack them.
        """
        fakes = self.draw_fakes(state, phase) if grid else None
        if not self.writes:
            return
        self._see_that_it_is_there()
        if fakes is not None:
            self._attempt(lambda: images.save_png(self.run.fakes(state.nimg), fakes))

        def save_it() -> None:
            checkpoint.making_room(self.run, self._flush)
            checkpoint.save(self.run, state, self.snapshots.config.snapshots.keep_states)

        self._attempt(save_it)
        if leaving and not self.run.snapshot(state.nimg).exists():
            self._attempt(lambda: self.snapshots.write(state, phase, None))

    def keep_failure(self, state: TrainState, phase: Phase, what: str) -> str:
        """Write the networks as they are when `what` has gone wrong. Returns a phrase that says where they are."""
        self._see_that_it_is_there()
        path = self._attempt(lambda: self.snapshots.write_failure(state, phase, what)) if self.writes else None
        return f" (networks saved as {path})" if path else ""

    def rewind(self, nimg: int) -> None:
        """Discard what was recorded after `nimg`, to which the run has gone back."""
        if self.writes:
            self.run.forget_after(nimg)
        self._pending.clear()
        self.snapshots.forget_pending()
        self._recent, self._ticked = (0, 0, 0.0), None
        if self.board is not None:
            self._attempt(self.board.close)
            self.board = _open_board(self.run.tensorboard, nimg, self.say)

    @torch.no_grad()
    def draw_fakes(self, state: TrainState, phase: Phase) -> Image | None:
        """The grid of fakes from the latents of seeds 0, 1, 2, ...: always the same ones.

        Every process draws a part of it; the first gets the whole, the others None.
        """
        spec = state.spec
        columns, rows = geometry.grid_shape(spec.resolution)
        z, labels = grid_latents(state, self.snapshots.labels, columns, rows)
        parts = []
        for start in range(state.ranks.rank * GRID_BATCH, len(z), state.ranks.world * GRID_BATCH):
            some = slice(start, start + GRID_BATCH)
            of = labels[some] if labels is not None else None
            parts.append(images.to_uint8(state.G_ema(z[some], of, phase.resolution, phase.alpha)))
        drawn = state.ranks.gather(parts)
        if not drawn:
            return None
        in_order = [part for row in zip_longest(*drawn) for part in row if part is not None]
        full = max(spec.resolution, images.SMALLEST_SHOWN)
        return images.make_grid(np.concatenate(in_order), columns, full)

    def close(self) -> None:
        """Clear the progress line and close TensorBoard."""
        if self.live and self.writes:
            write(self.stream, "\r" + " " * self._width + "\r")
        if self.board is not None:
            self._attempt(self.board.close)

    def _see_that_it_is_there(self) -> None:
        try:
            self.run.check_place()
        except Moved:
            self.board = None  # which would reopen its file, and fail in a thread of its own
            raise

    def _flush(self) -> None:
        """Write the plan, the milestones and the lines of the log that could not be written so far."""
        self.tuning.write_pending()
        self.snapshots.write_pending()
        if self._pending:
            self.run.append_log(self._pending)
            self._pending.clear()

    def _attempt(self, work: Any) -> Any:
        """Call `work`, or say why it failed: a full disk is no reason to lose a run."""
        try:
            return work()
        except (OSError, RunError) as error:
            self.say(f"warning: {error}; training continues, earlier files are kept")
            return None

    def _observe(self) -> None:
        """Tell the forecast how long the steps since the last time have taken."""
        resolution, count, spent = self._recent
        if count:
            self.forecast.observe(resolution, count, spent)
        self._recent = (0, 0, 0.0)

    def _observe_between(self, state: TrainState) -> None:
        """Tell the forecast how long everything but steps took between the ends of two ticks."""
        now = time.monotonic()
        if self._ticked is not None:
            then, nimg, seconds = self._ticked
            self.forecast.observe_between(state.nimg - nimg, now - then - (state.seconds - seconds))
        self._ticked = now, state.nimg, state.seconds

    def _line(self, state: TrainState, phase: Phase, means: dict[str, float]) -> str:
        self._observe()
        rate = self.forecast.seconds_per_image(phase.resolution)
        return "  ".join(
            [
                f"{phase.resolution}x{phase.resolution} alpha {phase.alpha:.2f}",
                f"{state.nimg / 1000:.1f}/{self.schedule.total / 1000:g} kimg",
                f"{1 / rate:.1f} img/s" if rate else "",
                f"left: stage {clock(self.forecast.stage_left(state.nimg))}",
                f"run {clock(self.forecast.run_left(state.nimg))}",
                f"loss D {means['D/loss']:.3f} G {means['G/loss']:.3f}",
            ]
        )

    def _write_board(self, entry: dict[str, Any], nimg: int) -> None:
        if self.board is None:
            return
        board, self.board = self.board, None  # a board that has failed once is not used again
        for name, value in entry.items():
            if isinstance(value, int | float) and name not in ("nimg", "kimg", "tick"):
                board.add_scalar(name if "/" in name else f"run/{name}", value, nimg)
        for measure in entry.get("measures", {}).values():
            board.add_scalar(f"measures/{measure['name']}", measure["value"], nimg)
        board.flush()
        self.board = board


def grid_latents(
    state: TrainState, distribution: dict[str, Any], columns: int, rows: int
) -> tuple[Tensor, Tensor | None]:
    """Latents and labels of a grid's cells; with classes, one class per row."""
    z, labels = latents.draw(range(columns * rows), state.spec, distribution)
    if labels is not None and not state.spec.multi_label:
        labels = torch.arange(rows).repeat_interleave(columns) % state.spec.num_labels
    z = z.to(state.device, state.dtype)
    return z, labels.to(state.device) if labels is not None else None


def _open_board(folder: Path, nimg: int, say: Any) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        say("no TensorBoard log: enable it with pip install tensorboard")
        return None
    try:
        # What an earlier start has written for later moments must not appear twice.
        return SummaryWriter(folder, purge_step=nimg)
    except OSError as error:
        say(f"warning: no TensorBoard log: {error}")
        return None
