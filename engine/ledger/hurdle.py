"""A return may be compared with a cost only if each cost item is charged exactly once (D14)."""

from dataclasses import dataclass
from enum import StrEnum

from engine.errors import InputError
from engine.ledger.wacc import COMPONENTS


class Comparison(StrEnum):
    """The three comparisons that mean something."""

    PROJECT = "project IRR against marginal k or WACC"
    EQUITY = "equity IRR against the cost of equity"
    NET = "net IRR against zero"


class Borne(StrEnum):
    """Where a cost item is charged."""

    K = "k"
    FLOWS = "flows"


class UnlikeComparison(InputError):
    """A cost item is on both sides of a comparison, on neither, or on the wrong one."""

    def __init__(self, comparison: Comparison, problems: dict[str, str]) -> None:
        self.comparison, self.problems = comparison, problems
        super().__init__(
            f"{comparison} refused",
            why="; ".join(f"{item} is {problem}" for item, problem in sorted(problems.items())),
            todo="charge each cost item once, on the side this comparison asks for",
        )


@dataclass(frozen=True, slots=True)
class Charged:
    """A rate, decimal per year, and the cost items already taken out of it (IRR) or put into it (k)."""

    rate: float
    bears: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a return clears its hurdle; `margin` is return less hurdle, decimal per year."""

    clears: bool
    margin: float
    borne_in: dict[str, Borne]


TRADING_COSTS = frozenset({"fees", "slippage"})
"""Costs of the project itself; they are in its flows in every comparison."""


def borne_in(comparison: Comparison, item: str) -> Borne:
    """Where `comparison` asks for `item`: only a project IRR leaves k's own components to k."""
    inside_k = comparison is Comparison.PROJECT and item in COMPONENTS
    return Borne.K if inside_k else Borne.FLOWS


def compare(
    comparison: Comparison,
    earned: Charged,
    hurdle: Charged,
    items: frozenset[str] = COMPONENTS | TRADING_COSTS,
) -> Verdict:
    """
    Whether `earned` exceeds `hurdle`, once both are shown to be like.

    Parameters
    ----------
    earned : the IRR; `bears` names the items its flows contain
    hurdle : marginal k, WACC, cost of equity, or zero; `bears` names the items it contains
    items : every cost item there is; each must be borne once

    Raises
    ------
    UnlikeComparison naming every item that is on both sides, on neither, or on the wrong one.
    """
    if problems := {
        item: problem
        for item in sorted(items | earned.bears | hurdle.bears)
        if (problem := _problem(comparison, item, earned.bears, hurdle.bears))
    }:
        raise UnlikeComparison(comparison, problems)
    margin = earned.rate - hurdle.rate
    return Verdict(margin > 0.0, margin, {item: borne_in(comparison, item) for item in sorted(items)})


def _problem(comparison: Comparison, item: str, flows: frozenset[str], k: frozenset[str]) -> str:
    match item in flows, item in k:
        case True, True:
            return "borne in both"
        case False, False:
            return "borne in neither"
        case in_flows, _:
            asked = borne_in(comparison, item)
            return "" if in_flows is (asked is Borne.FLOWS) else f"not borne in {asked}"
