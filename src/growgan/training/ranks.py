"""Several processes that train one run: who computes what, what is summed, and how they agree.

Every process holds the whole networks and both Adams, computes its rows of each minibatch (`microbatches`), and applies
the sum of all gradients: the same numbers in all of them, so that their weights never diverge. Only the first process
decides and writes; its decisions are broadcast. Started by torchrun, which sets the variables that `join` reads.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NoReturn, TypeVar
from weakref import WeakKeyDictionary

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from growgan.core.errors import ConfigError, RemoteError, RunError, UserError, say
from growgan.core.schedule import Phase
from growgan.training.heartbeat import Heartbeat, meet

T = TypeVar("T")
Layout = tuple[list[str], list[str]]
"""Paths of the weights that have gradients, and names of the stats, in the order of the all-reduce."""

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun sets for each process."""
PATIENCE = timedelta(hours=2)
"""How long processes wait for one that measures or builds a dataset; a dead one is detected by its heartbeat."""
NCCL_PATIENCE = timedelta(minutes=20)
"""How long GPUs wait for one that has not finished its step. A GPU may hang while its process lives, and nothing that a
process does between steps takes longer than writing its files."""
ALIGN = 64
"""Each gradient's place in the bucket is a multiple of this many numbers, for the vector units' sake."""


class Ranks:
    """This process among those of the run; alone, every method returns what it was given."""

    def __init__(self, rank: int = 0, world: int = 1, local: int = 0, local_world: int = 1) -> None:
        self.rank, self.world = rank, world
        self.local, self.local_world = local, local_world
        """The same on this machine."""
        self.first = rank == 0
        self.nccl_group: dist.ProcessGroup | None = None
        """The group that sums gradients on CUDA GPUs."""
        self._layouts: WeakKeyDictionary[nn.Module, dict[tuple[int, bool], Layout]] = WeakKeyDictionary()

    # In every step

    def all_reduce_gradients(self, network: nn.Module, stats: dict[str, Tensor], phase: Phase) -> None:
        """Replace the gradients of `network` and the `stats` by their sums over the processes: one all-reduce.

        DistributedDataParallel expects one forward and one backward pass per step and all weights in use; here a step
        has three forward passes, gradients of gradients, and layers that are not active yet.
        """
        if self.world == 1:
            return
        with _peer_loss_as_run_error():
            paths, names = self._layout(network, stats, phase)
            weights = [network.get_parameter(path) for path in paths]
            places = [0]
            for weight in weights:
                places.append(places[-1] + -(-weight.numel() // ALIGN) * ALIGN)
            bucket = weights[0].new_zeros(places[-1] + len(names))
            sums = [bucket.as_strided(w.shape, w.stride(), place) for w, place in zip(weights, places)]
            if stats:  # else this process has no rows, and adds nothing
                torch._foreach_copy_(sums, [weight.grad for weight in weights if weight.grad is not None])
                bucket[places[-1] :] = torch.stack([stats[name].to(bucket) for name in names])
            dist.all_reduce(bucket, group=self.nccl_group if bucket.is_cuda else None)
            for weight, gradient in zip(weights, sums):
                weight.grad = gradient
            stats.update(zip(names, bucket[places[-1] :].clone().unbind()))

    def all_reduce_max(self, *values: int) -> tuple[int, ...]:
        """The elementwise maximum over all processes. On the CPU, so that no GPU waits for it."""
        if self.world == 1:
            return values
        largest = torch.tensor(values)
        with _peer_loss_as_run_error():
            dist.all_reduce(largest, dist.ReduceOp.MAX)
        return tuple(largest.tolist())

    def _layout(self, network: nn.Module, stats: dict[str, Tensor], phase: Phase) -> Layout:
        """Names of the weights that have gradients and of the stats, as the first process has them at this stage."""
        known = self._layouts.setdefault(network, {})
        key = phase.resolution, phase.fading
        if key not in known:
            at_work = [path for path, weight in network.named_parameters() if weight.grad is not None]
            known[key] = self.on_first(lambda: (at_work, list(stats)))
        return known[key]

    # Occasionally

    def on_first(self, work: Callable[[], T]) -> T:
        """The result of `work` in the first process, broadcast to all. A `UserError` is raised in all of them."""
        if self.world == 1:
            return work()
        told: list[Any] = [None]
        error: UserError | None = None
        if self.first:
            try:
                told = [(True, work())]
            except UserError as caught:
                error, told = caught, [(False, str(caught))]
        with _peer_loss_as_run_error():
            dist.broadcast_object_list(told, src=0)
        done, value = told[0]
        if not done:
            raise error or RemoteError(value)
        return value  # type: ignore[no-any-return]

    def on_all(self, work: Callable[[], T]) -> T:
        """Run `work` in every process. A `UserError` in one is raised in all, and reported once."""
        if self.world == 1:
            return work()
        error: UserError | None = None
        try:
            value = work()
        except UserError as caught:
            error = caught
        sentences: list[str | None] = [None] * self.world
        with _peer_loss_as_run_error():
            dist.all_gather_object(sentences, None if error is None else str(error))
        failed = [rank for rank, sentence in enumerate(sentences) if sentence is not None]
        if failed:
            raise error if error and failed[0] == self.rank else RemoteError(sentences[failed[0]])
        return value

    def raised_by_all(self, error: UserError) -> UserError:
        """What to raise if every process has met the same `error`, so that only one reports it."""
        return error if self.first else RemoteError(str(error))

    def local_first(self, work: Callable[[], T]) -> T:
        """Like `on_all`, but on each machine one process goes first, so that the others find what it leaves on disk."""
        if self.world == 1:
            return work()
        done = self.on_all(lambda: [work()] if self.local == 0 else [])
        return self.on_all(lambda: done[0] if done else work())

    def gather(self, value: T) -> list[T]:
        """Every process's value in the first one; an empty list in the others."""
        if self.world == 1:
            return [value]
        values: list[Any] | None = [None] * self.world if self.first else None
        with _peer_loss_as_run_error():
            dist.gather_object(value, values)
        return values or []

    def broadcast_state(
        self, tensors: dict[str, Tensor], counters: dict[str, Any]
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The first process's tensors and counters, in all processes."""
        if self.world == 1:
            return tensors, counters
        forms = {name: (value.shape, value.dtype) for name, value in tensors.items()}
        forms, counters = self.on_first(lambda: (forms, counters))
        found = {}
        with _peer_loss_as_run_error():
            for name, (shape, dtype) in forms.items():
                value = tensors[name].cpu().contiguous() if self.first else torch.empty(shape, dtype=dtype)
                dist.broadcast(value, src=0)
                found[name] = value
        return found, counters


ALONE = Ranks()
"""The only process of its run."""


@contextlib.contextmanager
def join() -> Iterator[Ranks]:
    """The processes that torchrun has started, or this one alone. Raises `RunError` if they cannot connect."""
    given = [os.environ.get(name, "") for name in VARIABLES]
    if not all(given) or int(given[1]) == 1:
        yield ALONE
        return
    ranks = Ranks(*map(int, given[:4]))
    with_cards = torch.cuda.is_available() and dist.is_nccl_available()
    if with_cards:
        torch.cuda.set_device(ranks.local % torch.cuda.device_count())
    with _peer_loss_as_run_error():
        store, rank, world = next(rendezvous("env://"))
        name = meet(store, rank, world)
        own = PrefixStore(name, store)
        dist.init_process_group("gloo", store=own, rank=rank, world_size=world, timeout=PATIENCE)
        if with_cards:
            ranks.nccl_group = dist.new_group(backend="nccl", timeout=NCCL_PATIENCE)
        # A connection of its own, since the main thread may be waiting in the other.
        heartbeat = Heartbeat(PrefixStore(name, store.clone()), rank, world)
    ranks.on_all(lambda: None)
    try:
        with heartbeat:
            yield ranks
            ranks.on_all(lambda: None)  # no heartbeat stops before the last process has written its files,
        ranks.on_all(lambda: None)  # and the store stays while others still listen to it
    except UserError as error:
        leave(say(error))


def leave(status: int) -> NoReturn:
    """Exit this process of several immediately. On a normal exit gloo's threads occasionally abort it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def check_device(ranks: Ranks, device: torch.device) -> None:
    """Raise `ConfigError` if the processes of this machine cannot each have a device like this one."""
    if device.type == "cuda" and ranks.local_world > torch.cuda.device_count():
        have = f"{ranks.local_world} processes and {torch.cuda.device_count()} GPUs"
        raise ConfigError(f"this machine has {have}: start at most one process per GPU, or use --device cpu")
    if device.index is not None and ranks.local_world > 1:
        raise ConfigError(f"--device {device} is one device for {ranks.local_world} processes: omit the number")
    if device.type == "mps" and ranks.world > 1:
        raise ConfigError("several processes can train only on CPUs or CUDA GPUs: use --device cpu")


@contextlib.contextmanager
def _peer_loss_as_run_error() -> Iterator[None]:
    """Turn what torch raises when another process is gone into a `RunError` that says so."""
    try:
        yield
    except torch.OutOfMemoryError:  # not a lost process
        raise
    except RuntimeError as error:  # torch's DistError is one
        reason = str(error).strip().splitlines()[0]
        lost = "lost another process of this run; resume it from the last saved state"
        raise RunError(f"{lost} ({reason[:200]})") from error
