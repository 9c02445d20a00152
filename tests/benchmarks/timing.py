"""Every round runs each candidate once, so that all meet the same machine; medians, and medians of ratios."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Row:
    """
    One candidate on one workload, against one yardstick of the same run.

    `seconds` is the median, `per_item_ns` that of one item; `ratio` is the median over rounds of
    candidate / yardstick, `goal` its upper bound, `met` whether it holds. None = not run, or no goal.
    """

    workload: str
    candidate: str
    seconds: float | None
    per_item_ns: float | None = None
    ratio: float | None = None
    yardstick: str = ""
    goal: float | None = None
    met: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """The row for the machine."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Goal:
    """A candidate takes at most `ratio` of what its yardstick takes in the same run."""

    candidate: str
    yardstick: str
    ratio: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is timed; `scale` carries the time of a sample to the whole workload; `run` None = not run here."""

    run: Callable[[], object] | None
    scale: float = 1.0


def duel(
    workload: str,
    candidates: Mapping[str, Candidate],
    goals: Sequence[Goal],
    *,
    items: float,
    rounds: int = 5,
    yardstick: str,
) -> list[Row]:
    """Rows of a workload: one per goal, and one against `yardstick` for each candidate without a goal."""
    taken = _timed({name: c for name, c in candidates.items() if c.run is not None}, rounds)
    with_goal = {goal.candidate for goal in goals}
    plain = [Goal(name, yardstick, float("nan")) for name in candidates if name not in with_goal]
    order = {name: at for at, name in enumerate(candidates)}
    return [_row(workload, goal, taken, items) for goal in sorted((*plain, *goals), key=lambda g: order[g.candidate])]


def _timed(candidates: Mapping[str, Candidate], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for warm in range(rounds + 1):
        for name, candidate in candidates.items():
            assert candidate.run is not None
            gc.collect()
            began = time.perf_counter()
            candidate.run()
            elapsed = (time.perf_counter() - began) * candidate.scale
            if warm:
                taken[name].append(elapsed)
    return taken


def _row(workload: str, goal: Goal, taken: Mapping[str, list[float]], items: float) -> Row:
    asked = goal.ratio if goal.ratio == goal.ratio else None
    if goal.candidate not in taken:
        return Row(workload, goal.candidate, None, yardstick=goal.yardstick, goal=asked)
    seconds = statistics.median(taken[goal.candidate])
    each = None if items == 1 else 1e9 * seconds / items
    row = Row(workload, goal.candidate, seconds, each, None, goal.yardstick, asked)
    if goal.yardstick not in taken:
        return row
    pairs = zip(taken[goal.candidate], taken[goal.yardstick], strict=True)
    ratio = statistics.median(one / other for one, other in pairs)
    met = None if asked is None else ratio <= asked
    return Row(workload, goal.candidate, seconds, each, ratio, goal.yardstick, asked, met)
