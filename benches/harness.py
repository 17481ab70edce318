"""Races: the answers are compared first, then every side is timed in turn, round after round."""

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

# Thread pools of some peers spin for a while after their work, at the expense of whoever is next.
REST = 0.05


class MismatchError(AssertionError):
    """Two sides of a race give different answers."""


def expect(holds: bool, what: str) -> None:
    """Raise MismatchError unless something `holds`."""
    if not holds:
        raise MismatchError(what)


@dataclass(frozen=True)
class Peer:
    """Another way to do a job.

    Attributes:
        name: as in the table.
        run: does the job, or a part of it, and gives the answer.
        agrees: takes our answer and this peer's; raises MismatchError.
        scale: the whole job is so many times what `run` does.
    """

    name: str
    run: Callable[[], Any]
    agrees: Callable[[Any, Any], None]
    scale: float = 1.0


@dataclass(frozen=True)
class Claim:
    """We are at least `target` times as fast as the fastest of some peers; None: no promise."""

    job: str
    against: tuple[str, ...]
    target: float | None


@dataclass
class Timing:
    """Seconds of a side's runs, scaled to the whole job.

    The processor's seconds are those of all threads and of child processes.
    """

    name: str
    scale: float = 1.0
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.wall) * self.scale

    def forget(self) -> None:
        """Begin again."""
        self.wall.clear()
        self.cpu.clear()

    def time(self, run: Callable[[], Any]) -> Any:
        """Time one run; what comes before and the freeing of earlier answers are not counted."""
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
    """How a claim came out."""

    claim: Claim
    ours: Timing
    best: Timing

    @property
    def value(self) -> float:
        return self.best.median / self.ours.median


@dataclass(frozen=True)
class Limit:
    """A number that must not be exceeded: a growth exponent or a peak of memory."""

    what: str
    measured: str
    value: float
    limit: float


@dataclass(frozen=True)
class Details:
    """Every side's times in a race."""

    race: str
    timings: Sequence[Timing]


Finding = Ratio | Limit | Details


@dataclass(frozen=True)
class Bench:
    """What every job is told.

    Attributes:
        folder: for files; it is deleted afterwards.
        threads: for each side.
        scale: sizes are so many times the full ones.
        rounds: the fewest and the most in which every side is timed once.
        budget: seconds after which a race starts no more than the fewest rounds.
        device: where models run, `cpu` or `cuda`.
    """

    folder: Path
    threads: int
    scale: float = 1.0
    rounds: tuple[int, int] = (3, 9)
    budget: float = 10.0
    device: str = "cpu"

    @property
    def quick(self) -> bool:
        """Whether this is a look rather than a measurement: what takes long is left out."""
        return self.scale < 1

    def size(self, full: int) -> int:
        """A size at this bench's scale."""
        return max(round(full * self.scale), 1)

    def race(
        self, name: str, ours: Callable[[], Any], peers: Sequence[Peer], claims: Sequence[Claim]
    ) -> Iterator[Finding]:
        """Check that all answers agree, time all sides, judge the claims.

        Where a single round is asked for, of jobs that take minutes, its answers are those that are
        compared; else they are of a round before those that are timed.
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
        """Time a job at rising sizes; from the second to the third it must be nearly linear.

        The fastest runs count: no other side shares in what disturbs the others.

        Args:
            job: as in the table.
            sizes: three or more, each ten times the one before.
            prepare: makes the input of a size, untimed, and gives the job to time.
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
    """A time to three digits in a unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"
    return f"{value * 1e6:.3g} µs"
