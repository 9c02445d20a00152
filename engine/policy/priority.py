"""How large the DeFi sleeve may be, what makes it shrink, and which domain is protected first (S39, S51, S52, X05)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite

from engine.errors import InputError
from engine.policy.bounds import within
from engine.policy.rule import Act, Finding

_FACTOR = (0.8, 1.25)  # D19


@dataclass(frozen=True, slots=True)
class SleeveCaps:
    """Shares of consolidated NAV: `soft` is the default target too, `hard` never lies above 25 %."""

    soft: float = 0.15  # S39, X05
    hard: float = 0.20  # S39, X05

    def __post_init__(self) -> None:
        within("limits.sleeve_cap", self.hard, 0, 0.25, rule="S39, X05")
        within("limits.sleeve_target", self.soft, 0, self.hard, rule="S39, X05")


@dataclass(frozen=True, slots=True)
class SleeveRoom:
    """
    The largest sleeve each other limit allows, as a share of NAV, >= 0.

    `drawdown` keeps the two-sigma rule (S40), `quick_ratio` the liquidity floor (S47); infinite where that limit is
    read off the book itself.
    """

    drawdown: float = inf
    quick_ratio: float = inf


@dataclass(frozen=True, slots=True)
class SleeveTarget:
    """The share of NAV to aim for, what the factor asked for, and the limit that clipped it, empty if none did."""

    share: float
    asked: float
    clipped_by: str


class SleeveState(StrEnum):
    """Where the sleeve stands against its caps."""

    WITHIN = "within"
    SOFT = "soft breach: no new risk"
    HARD = "hard breach: reduce"


@dataclass(frozen=True, slots=True)
class SleeveReading:
    """
    The sleeve's share of NAV and what follows.

    `reduce_by` is the USD to move out of the sleeve, 0 without a hard breach.
    """

    share: float
    state: SleeveState
    reduce_by: float

    @property
    def may_grow(self) -> bool:
        """Whether new risk may be opened in the sleeve."""
        return self.state is SleeveState.WITHIN


class Domain(StrEnum):
    """Where protection may be bought."""

    SPX = "spx"
    DEFI = "defi"


def sleeve_target(factor: float, room: SleeveRoom, caps: SleeveCaps = SleeveCaps()) -> SleeveTarget:
    """
    The sleeve's target: the soft cap times the factor of the volatility complex, clipped by every limit.

    Parameters
    ----------
    factor : this quarter's, from the table frozen beforehand (D19), 0.8 to 1.25

    Source: S51, X05.

    >>> sleeve_target(1.2, SleeveRoom(drawdown=0.30, quick_ratio=0.17)).clipped_by
    'quick ratio (S47)'
    """
    if not _FACTOR[0] <= factor <= _FACTOR[1]:
        raise InputError(
            f"sleeve factor {factor} refused", why=f"outside {_FACTOR} (D19)", todo="take it from the frozen table"
        )
    if not (room.drawdown >= 0 and room.quick_ratio >= 0):
        raise InputError("sleeve room refused", why=f"{room} is not all >= 0", todo="give 0 where nothing fits")
    asked = caps.soft * factor
    ceilings = {
        "hard cap (S39)": caps.hard,
        "two-sigma rule (S40)": room.drawdown,
        "quick ratio (S47)": room.quick_ratio,
    }
    name, least = min(ceilings.items(), key=lambda one: one[1])
    return SleeveTarget(min(asked, least), asked, name if least < asked else "")


def read_sleeve(sleeve: float, nav: float, *, exit_cost: float = 0.0, caps: SleeveCaps = SleeveCaps()) -> SleeveReading:
    """
    The sleeve against its caps; a hard breach proposes the reduction that brings it back to the soft cap.

    Parameters
    ----------
    sleeve : USD at full mark, no haircut, with unsettled commitments (S39)
    nav : consolidated, haircuts applied, USD > 0
    exit_cost : decimal of what is moved out, lost on the way

    Source: S39, X05. Moving R out costs c R of NAV, so (S - R) / (N - c R) is the soft cap.

    >>> round(read_sleeve(240_000.0, 1_000_000.0, exit_cost=0.01).reduce_by, 2)
    90135.2
    """
    if not (isfinite(sleeve) and sleeve >= 0 and isfinite(nav) and nav > 0 and 0 <= exit_cost < 1):
        raise InputError("sleeve not read", why=f"sleeve {sleeve}, NAV {nav}, cost {exit_cost}", todo="value the book")
    share = sleeve / nav
    if share > caps.hard:
        return SleeveReading(share, SleeveState.HARD, (sleeve - caps.soft * nav) / (1.0 - caps.soft * exit_cost))
    return SleeveReading(share, SleeveState.SOFT if share > caps.soft else SleeveState.WITHIN, 0.0)


def domain_order(findings: Sequence[Finding]) -> tuple[Domain, Domain]:
    """
    Which domain is protected first: DeFi while a rule favours it and none favours SPX, else SPX (S52).

    A rule that cannot be told favours nothing.
    """
    favoured = {
        effect.what for found in findings if found.fires for effect in found.rule.then if effect.act is Act.FAVOUR
    }
    first_is_defi = Domain.DEFI in favoured and Domain.SPX not in favoured
    return (Domain.DEFI, Domain.SPX) if first_is_defi else (Domain.SPX, Domain.DEFI)
