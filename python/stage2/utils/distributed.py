"""Many devices: one process leads, and the others compute for it.

torchrun starts the same command in every process. Rank 0 runs it as if it were alone: only rank 0
reads, decides, prints and writes. The others wait for pieces of its work: batches to embed, groups
of a training step, a part of a corpus to search. So no stage knows how many processes there are,
no file is written twice, and two processes cannot come to different conclusions.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from stage2.utils.errors import BadInputError, RunFailedError

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

# The longest wait for a tensor. After it another process hangs; one that died is noticed at once.
LATE = timedelta(minutes=10)
# The longest wait for the next piece of work, while rank 0 reads, ranks and writes.
PATIENT = timedelta(days=30)

# transformers sets this attribute of a model that has its hooks.
_RECORDS = "_output_capturing_hooks_installed"

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}

_world: World | None = None


class World:
    """The processes of one command.

    Attributes:
        rank: the number of this process; 0 leads.
        size: the number of processes.
        lent: this process's copy of the model that rank 0 works with; on rank 0 the model itself.
        kept: what a piece of work leaves in this process for the next piece.
    """

    lent: Any
    kept: Any = None

    def __init__(self) -> None:
        """Connect to the other processes, which torchrun's environment names.

        Raises:
            BadInputError: there are more processes on this machine than GPUs.
        """
        self.local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        backend = "gloo"
        if (gpus := torch.cuda.device_count()) > 0:
            if self.local_rank >= gpus:
                raise BadInputError(
                    f"process {self.local_rank} of this machine finds {gpus} GPUs; expected one "
                    "each: torchrun --nproc-per-node gpu, or CUDA_VISIBLE_DEVICES= for the CPU"
                )
            torch.cuda.set_device(self.local_rank)
            backend = "cpu:gloo,cuda:nccl"
        store, self.rank, self.size = next(rendezvous("env://", timeout=LATE))
        store = _of_this_attempt(store, self.rank, self.size)
        dist.init_process_group(
            backend, store=store, rank=self.rank, world_size=self.size, timeout=LATE
        )
        self._control: Any = dist.new_group(backend="gloo", timeout=PATIENT)
        self._structure: list[tuple[str, int, bool]] = []
        self._sums: dict[str, int] = {}

    def map(self, job: Callable[..., Result], arguments: Sequence[Any], **own: Any) -> list[Result]:
        """Call `job(world, argument)` in every process, with the i-th argument in the i-th.

        Args:
            job: a function of a module; the others find it by its name.
            arguments: one for each process; they are pickled.
            own: further arguments for this process only, such as a function that shows progress.

        Returns:
            What `job` returns in each process, in the order of the processes.

        Raises:
            RunFailedError: another process failed or was lost; the message says which.
        """
        try:
            self._scatter([(job, argument) for argument in arguments])
            mine, failure = _attempt(job, self, arguments[0], own)
            answers: list[Any] = [None] * self.size
            dist.gather_object((None, None), answers, group=self._control)
        except RuntimeError as error:
            raise RunFailedError(
                f"one of the {self.size} processes was lost. torchrun says which; its "
                "--max-restarts N starts all again, and training goes on from its state"
            ) from error
        if failure is not None:
            raise failure
        for rank, (_, message) in enumerate(answers):
            if message is not None:
                raise RunFailedError(f"rank {rank} of {self.size}: {message}")
        return [mine, *(value for value, _ in answers[1:])]

    def serve(self) -> int:
        """Do the work that rank 0 sends until its command has ended, and return its exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            # Rank 0 reacts to signals: it first saves its state, for which it needs the others.
            signal.signal(number, signal.SIG_IGN)
        while True:
            try:
                job, argument = self._scatter(None)
                if job is None:
                    return int(argument)
                value, failure = _attempt(job, self, argument, {})
                message = None
                if failure is not None:
                    message = f"{type(failure).__name__}: {failure}"
                dist.gather_object((value, message), None, group=self._control)
            except RuntimeError:
                logger.error("rank %d: rank 0 was lost", self.rank)
                return RunFailedError.exit_code

    def dismiss(self, code: int) -> None:
        """Tell the others to end with an exit code. Those that are lost have already ended."""
        with contextlib.suppress(RuntimeError):
            self._scatter([(None, code)] * self.size)

    def close(self) -> None:
        """End the threads of the groups; they could abort the process when the interpreter ends."""
        del self._control
        dist.destroy_process_group()

    def lend(self, model: nn.Module, bare: Callable[[], nn.Module]) -> None:
        """Send the others the whole model, or only the weights that changed since the last call.

        Args:
            model: a model on this process's device.
            bare: returns a copy of the model without what the others do not need.

        Raises:
            BadInputError: the model is on the GPU of another process.
        """
        device = next(model.parameters()).device
        if device.index not in (None, self.local_rank):
            raise BadInputError(
                f"--device {device}: under torchrun each process takes the GPU of its "
                "LOCAL_RANK; expected auto, cpu or cuda"
            )
        tensors = _tensors(model)
        structure = [(name, id(tensor), tensor.requires_grad) for name, tensor in tensors.items()]
        sums = dict(zip(tensors, _sums_of_bits(list(tensors.values())), strict=True))
        moved = [name for name in sums if sums[name] != self._sums.get(name)]
        if moved:
            # A sum can stay the same by chance, so every weight that is trained counts as changed.
            moved = [name for name in sums if tensors[name].requires_grad or name in moved]
        self.lent = model
        if structure != self._structure:
            content = _packed(bare())
            self.map(_take_model, [(len(content), device.type)] * self.size, content=content)
        elif moved:
            self.map(_take_weights, [moved] * self.size)
        self._structure, self._sums = structure, sums

    def sum_gradients(self) -> None:
        """Add the gradients of the others' copies of the model to those of rank 0."""
        known = self.map(_known_gradients, [None] * self.size)
        # A weight without a gradient in any process gets none: AdamW would decay it otherwise.
        anywhere = [any(column) for column in zip(*known, strict=True)]
        self.map(_add_up_gradients, [anywhere] * self.size)

    def broadcast_bytes(self, content: Tensor) -> None:
        """Fill a uint8 tensor on the CPU with the contents that it has on rank 0."""
        dist.broadcast(content, 0, group=self._control)

    def _scatter(self, messages: list[Any] | None) -> Any:
        received: list[Any] = [None]
        dist.scatter_object_list(received, messages, group=self._control)
        return received[0]


def world() -> World | None:
    """Return the processes of this command, or None if it runs alone."""
    return _world


def run(command: Callable[[], object]) -> None:
    """Run the program in rank 0 and serve it in the others; the others end with SystemExit."""
    global _world  # noqa: PLW0603  torch.distributed too has one state for each process
    try:
        _world = World()
    except (BadInputError, ValueError, RuntimeError) as error:
        logger.error("rank %s: %s", os.environ.get("RANK", "?"), error)
        sys.exit(getattr(error, "exit_code", RunFailedError.exit_code))
    if _world.rank:
        code = _world.serve()
        _world.close()
        sys.exit(code)
    code = RunFailedError.exit_code
    try:
        command()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    finally:
        _world.dismiss(code)
        _world.close()


def _of_this_attempt(store: Store, rank: int, size: int) -> Store:
    """Return a part of the store that only the processes of this attempt write to.

    torchrun keeps one store over its restarts. In it an early process could read the address of a
    process of the attempt before, and would then wait for it in vain.
    """
    own = uuid.uuid4().hex
    if rank == 0:
        store.set("stage2/lead", own)
        for other in range(1, size):
            name = store.get(f"stage2/{own}/hello/{other}").decode()
            store.set(f"stage2/{own}/welcome/{name}", "")
        return PrefixStore(f"stage2/{own}", store)
    end = time.monotonic() + LATE.total_seconds()
    while True:
        # The lead can still be that of the attempt before, which answers no more.
        lead = store.get("stage2/lead").decode()
        store.set(f"stage2/{lead}/hello/{rank}", own)
        try:
            store.wait([f"stage2/{lead}/welcome/{own}"], timedelta(seconds=1))
        except dist.DistStoreError:
            if time.monotonic() > end:
                raise
        else:
            return PrefixStore(f"stage2/{lead}", store)


def _attempt(
    job: Callable[..., Result], world: World, argument: Any, own: dict[str, Any]
) -> tuple[Result | None, BaseException | None]:
    """Do a piece of work and return its result or its error, so that every process answers."""
    try:
        return job(world, argument, **own), None
    except BaseException as error:
        return None, error


def _take_model(world: World, about: tuple[int, str], content: bytes = b"") -> None:
    """Receive a model with its layers and weights, but without its tokenizer."""
    size, device = about
    buffer = torch.frombuffer(bytearray(content or size), dtype=torch.uint8)
    world.broadcast_bytes(buffer)
    if world.rank:
        place = torch.device(device, world.local_rank) if device == "cuda" else device
        # Pickle is safe here: the bytes come from a process of this command, never from a file.
        world.lent = torch.load(
            io.BytesIO(buffer.numpy().tobytes()), map_location=place, weights_only=False
        )


def _take_weights(world: World, names: list[str]) -> None:
    tensors = _tensors(world.lent)
    for group in _by_dtype([tensors[name].detach() for name in names]):
        flat = torch.cat([tensor.reshape(-1) for tensor in group])
        dist.broadcast(flat, 0)
        if world.rank:
            _spread_out(flat, group)


def _known_gradients(world: World, _: None) -> list[bool]:
    return [parameter.grad is not None for parameter in world.lent.parameters()]


def _add_up_gradients(world: World, anywhere: list[bool]) -> None:
    parameters = [p for p, known in zip(world.lent.parameters(), anywhere, strict=True) if known]
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    for group in _by_dtype([p.grad for p in parameters if p.grad is not None]):
        flat = torch.cat([gradient.reshape(-1) for gradient in group])
        dist.reduce(flat, 0)
        if not world.rank:
            _spread_out(flat, group)
    if world.rank:
        world.lent.zero_grad(set_to_none=True)


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return dict(model.state_dict(keep_vars=True))


def _sums_of_bits(tensors: list[Tensor]) -> list[int]:
    """Sum the bits of each tensor, which shows whether it changed.

    The version counter of autograd would not do: fused optimisers do not raise it.
    """
    sums = [
        tensor.detach().contiguous().view(-1).view(_INTEGERS[tensor.itemsize]).sum()
        for tensor in tensors
    ]
    found: list[int] = torch.stack(sums).tolist()
    return found


def _packed(model: nn.Module) -> bytes:
    buffer = io.BytesIO()
    with _without_hooks(model):
        torch.save(model, buffer)
    return buffer.getvalue()


@contextlib.contextmanager
def _without_hooks(model: nn.Module) -> Iterator[None]:
    """Take off the hooks by which transformers records the states of layers; they have no pickle.

    Another process gets a model without them, and transformers puts them on there when it needs
    them.
    """
    before = [(vars(module), dict(vars(module))) for module in model.modules()]
    try:
        for own, _ in before:
            own.pop(_RECORDS, None)
            own["_forward_hooks"] = OrderedDict()
        yield
    finally:
        for own, attributes in before:
            own.update(attributes)


def _by_dtype(tensors: list[Tensor]) -> list[list[Tensor]]:
    groups: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault(tensor.dtype, []).append(tensor)
    return list(groups.values())


def _spread_out(flat: Tensor, tensors: list[Tensor]) -> None:
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))
