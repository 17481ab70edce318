"""Races: answers are compared first, then all sides are timed in turn, in several rounds."""

from __future__ import annotations

import gc
import math
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Seconds between two sides. The threads of some peers stay busy for a while after their work, which
# would slow down the next side.
REST = 0.05


class MismatchError(AssertionError):
    """Two sides of a race gave different answers."""


def expect(holds: bool, what: str) -> None:
    """Raise MismatchError with the message `what` unless a condition `holds`."""
    if not holds:
        raise MismatchError(what)


@dataclass(frozen=True)
class Peer:
    """Another way to do a job.

    Attributes:
        name: the name in the table.
        run: a function that does the job or a part of it, and returns the answer.
        agrees: a function that compares our answer with this peer's, and raises MismatchError.
        scale: the whole job is so many times what `run` does.
    """

    name: str
    run: Callable[[], Any]
    agrees: Callable[[Any, Any], None]
    scale: float = 1.0


@dataclass(frozen=True)
class Claim:
    """The claim that stage2 is at least `target` times as fast as the fastest of some peers.

    Attributes:
        job: the name in the table.
        against: the names of the peers.
        target: the ratio; None if it is only measured.
    """

    job: str
    against: tuple[str, ...]
    target: float | None


@dataclass
class Timing:
    """The times of a side's runs, in seconds.

    Attributes:
        name: the name of the side.
        scale: the factor from a run to the whole job.
        wall: the elapsed time of each run.
        cpu: the processor time of each run, in all threads and child processes.
    """

    name: str
    scale: float = 1.0
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.wall) * self.scale

    def forget(self) -> None:
        """Remove all times."""
        self.wall.clear()
        self.cpu.clear()

    def time(self, run: Callable[[], Any]) -> Any:
        """Time one run, and return its answer. Garbage is collected before the clock starts."""
        gc.collect()
        time.sleep(REST)
        before, start = _cpu_seconds(), time.perf_counter()
        answer = run()
        self.wall.append(time.perf_counter() - start)
        self.cpu.append(_cpu_seconds() - before)
        return answer


def _cpu_seconds() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@dataclass(frozen=True)
class Ratio:
    """The result of a claim."""

    claim: Claim
    ours: Timing
    best: Timing

    @property
    def value(self) -> float:
        return self.best.median / self.ours.median


@dataclass(frozen=True)
class Limit:
    """A number with an upper limit, such as a growth exponent or a peak of memory."""

    what: str
    measured: str
    value: float
    limit: float


@dataclass(frozen=True)
class Details:
    """The times of all sides in a race."""

    race: str
    timings: Sequence[Timing]


Finding = Ratio | Limit | Details


@dataclass(frozen=True)
class Bench:
    """The settings of all jobs.

    Attributes:
        folder: a folder for files, which is deleted afterwards.
        threads: the number of threads for each side.
        scale: the factor from the full sizes to those of this run.
        rounds: the smallest and the largest number of rounds. In a round each side is timed once.
        budget: seconds after which a race stops, once it has the smallest number of rounds.
        device: the device of models, `cpu` or `cuda`.
    """

    folder: Path
    threads: int
    scale: float = 1.0
    rounds: tuple[int, int] = (3, 9)
    budget: float = 10.0
    device: str = "cpu"

    @property
    def quick(self) -> bool:
        """Tell whether inputs are smaller and long races are left out."""
        return self.scale < 1

    def size(self, full: int) -> int:
        """Scale a size."""
        return max(round(full * self.scale), 1)

    def race(
        self, name: str, ours: Callable[[], Any], peers: Sequence[Peer], claims: Sequence[Claim]
    ) -> Iterator[Finding]:
        """Check that all answers agree, time all sides, and yield the results of the claims.

        The answers that are compared come from a round that is not timed. If there is to be only
        one round, as for jobs of minutes, that round is timed and compared.
        """
        fewest, most = self.rounds
        mine = Timing("stage2")
        theirs = {peer.name: Timing(peer.name, peer.scale) for peer in peers}
        answer = mine.time(ours)
        for peer in peers:
            peer.agrees(answer, theirs[peer.name].time(peer.run))
        del answer
        if most > 1:
            for side in (mine, *theirs.values()):
                side.forget()
        start = time.perf_counter()
        while len(mine.wall) < fewest or (
            len(mine.wall) < most and time.perf_counter() - start < self.budget
        ):
            mine.time(ours)
            for peer in peers:
                theirs[peer.name].time(peer.run)
        for claim in claims:
            best = min((theirs[name] for name in claim.against), key=lambda side: side.median)
            yield Ratio(claim, mine, best)
        yield Details(name, (mine, *theirs.values()))

    def growth(
        self, job: str, sizes: Sequence[int], prepare: Callable[[int], Callable[[], Any]]
    ) -> Limit:
        """Time a job at rising sizes. From the second to the third size it must be nearly linear.

        The fastest run of each size counts, because there is no other side that would be disturbed
        in the same way.

        Args:
            job: the name in the table.
            sizes: three or more sizes, each ten times the one before.
            prepare: a function that makes the input of a size and returns the job to time.
        """
        fastest = []
        for size in sizes:
            run, timing = prepare(size), Timing(job)
            run()
            for _ in range(self.rounds[0]):
                timing.time(run)
            fastest.append(min(timing.wall))
        measured = ", ".join(
            f"10^{math.log10(size):.0f}: {seconds(wall)}"
            for size, wall in zip(sizes, fastest, strict=True)
        )
        return Limit(f"growth: {job}", measured, math.log10(fastest[2] / fastest[1]), 1.1)


def seconds(value: float) -> str:
    """Write a time with three digits and a suitable unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"
    return f"{value * 1e6:.3g} µs"
