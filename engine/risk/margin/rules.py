"""A book's broker requirement under each rule set, with the pairing behind it, so that an operator sees why."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from engine.errors import InputError
from engine.risk.margin.legs import MarginLeg, accounts, ordered, settlements
from engine.risk.margin.pairing import cheapest_pairing
from engine.risk.margin.payout import loss_usd, payout_usd
from engine.risk.margin.portfolio import Scan, portfolio_scans
from engine.risk.margin.strategies import Candidate, Strategy, candidates
from engine.risk.valuation import PricingView

UNIVERSAL = "universal spread"
SETTLEMENT = "settles together"
PRODUCT = "worst of ten moves"


class MarginRule(StrEnum):
    """The rule sets by which a book can be margined."""

    MAX_PAYOUT = "max_payout"
    MAX_LOSS = "max_loss"
    CBOE = "cboe"
    CBOE_UNIVERSAL = "cboe_universal"
    IB = "ib"
    PORTFOLIO = "portfolio"


SOURCES: Mapping[MarginRule, str] = MappingProxyType(
    {
        MarginRule.MAX_PAYOUT: "D32: the largest amount owed at settlement, gross of premium",
        MarginRule.MAX_LOSS: "D03: the largest amount owed at settlement less the net credit at today's marks",
        MarginRule.CBOE: "Cboe Rule 10.3, named strategies; one side of a condor only where its widths are equal",
        MarginRule.CBOE_UNIVERSAL: "Cboe Rule 10.3 with universal spreads (SR-CBOE-2012-043)",
        MarginRule.IB: "Interactive Brokers: equal widths are one condor, unequal ones two spreads",
        MarginRule.PORTFOLIO: "Cboe Rule 10.4: ten moves from -8 % to +6 %, with a minimum per contract",
    }
)

_CBOE = frozenset(Strategy)
_IB = frozenset({Strategy.NAKED, Strategy.SPREAD, Strategy.STRANGLE, Strategy.CONDOR, Strategy.BUTTERFLY, Strategy.BOX})
_BESIDE_UNIVERSAL = frozenset({Strategy.NAKED, Strategy.SPREAD, Strategy.STRANGLE})


@dataclass(frozen=True, slots=True)
class Group:
    """
    Legs margined as one: what they form, contracts of each (signed) by name, and USD held against them.

    `units` says how many times the strategy is held; contracts are those of all units together.
    """

    strategy: str
    legs: tuple[tuple[str, int], ...]
    units: int
    usd: float


@dataclass(frozen=True, slots=True)
class Requirement:
    """
    USD a broker holds against a book under one rule set, >= 0 except `max_loss`, infinite if it is unbounded.

    Longs are paid in full and have no loan value, so those outside every group require nothing; `unused`
    names them with their contracts.
    """

    rule: MarginRule
    usd: float
    groups: tuple[Group, ...]
    unused: tuple[tuple[str, int], ...] = ()

    @property
    def source(self) -> str:
        """The rule in words."""
        return SOURCES[self.rule]


def requirement(rule: MarginRule, legs: Iterable[MarginLeg], view: PricingView | None = None) -> Requirement:
    """
    What a broker holds against `legs` under one rule set: the minimum over pairings where it pairs (D32).

    Legs are paired only within one broker, root and settlement style; AM and PM contracts never meet.

    Parameters
    ----------
    view : the market that `portfolio` revalues on; the other rule sets need none

    Errors: `InvalidStructure` for legs no rule covers; `InputError` for `portfolio` without a view.
    """
    rows = ordered(legs)
    if rule in _BY_SETTLEMENT:
        return _by_settlement(rule, rows)
    if rule is MarginRule.PORTFOLIO:
        return _portfolio(rows, view)
    groups: list[Group] = []
    for held in accounts(rows).values():
        groups += _paired(rule, held)
    return Requirement(rule, math.fsum(group.usd for group in groups), tuple(groups), _unused(rows, groups))


def pairing_requirement(legs: Iterable[MarginLeg], menu: frozenset[Strategy]) -> float:
    """USD of the cheapest pairing with a menu of your own; a larger menu never requires more."""
    return math.fsum(
        group.usd for held in accounts(ordered(legs)).values() for group in _named(held, candidates(held, menu))
    )


def _by_settlement(rule: MarginRule, legs: Sequence[MarginLeg]) -> Requirement:
    usd = _BY_SETTLEMENT[rule]
    groups = tuple(
        Group(SETTLEMENT, tuple((leg.option.id, leg.quantity) for leg in held), 1, usd(held))
        for held in settlements(legs).values()
    )
    return Requirement(rule, math.fsum(group.usd for group in groups), groups)


def _paired(rule: MarginRule, legs: Sequence[MarginLeg]) -> list[Group]:
    if rule is MarginRule.CBOE_UNIVERSAL:
        return _universal(legs)
    return _named(legs, candidates(legs, _CBOE if rule is MarginRule.CBOE else _IB))


def _named(legs: Sequence[MarginLeg], menu: Sequence[Candidate]) -> list[Group]:
    units = cheapest_pairing(legs, menu).units
    return [_group(legs, candidate, n) for candidate, n in zip(menu, units, strict=True) if n]


def _universal(legs: Sequence[MarginLeg]) -> list[Group]:
    menu = candidates(legs, _BESIDE_UNIVERSAL)
    where = {leg.option: at for at, leg in enumerate(legs)}
    pools = [[where[leg.option] for leg in held] for held in settlements(legs).values()]
    pairing = cheapest_pairing(legs, menu, pools)
    spreads = [
        Group(UNIVERSAL, tuple((legs[i].option.id, n) for i, n in inside), 1, points * legs[0].multiplier)
        for inside, points in zip(pairing.inside, pairing.points, strict=True)
        if inside
    ]
    return spreads + [_group(legs, candidate, n) for candidate, n in zip(menu, pairing.units, strict=True) if n]


def _group(legs: Sequence[MarginLeg], candidate: Candidate, units: int) -> Group:
    held = tuple((legs[i].option.id, count * units) for i, count in candidate.legs)
    return Group(candidate.strategy.value, held, units, candidate.points * units * legs[0].multiplier)


def _portfolio(legs: Sequence[MarginLeg], view: PricingView | None) -> Requirement:
    if view is None:
        raise InputError(
            "no portfolio margin", why="it revalues the book and no market was given", todo="give a pricing view"
        )
    scans = portfolio_scans(legs, view)
    groups = tuple(_scanned(scan, legs) for scan in scans)
    return Requirement(MarginRule.PORTFOLIO, math.fsum(group.usd for group in groups), groups)


def _scanned(scan: Scan, legs: Sequence[MarginLeg]) -> Group:
    worst = scan.moves[min(range(len(scan.moves)), key=scan.results.__getitem__)]
    words = f"index {worst:+.1%}" if scan.worst >= scan.minimum else "minimum per contract"
    held = tuple(
        (leg.option.id, leg.quantity)
        for leg in legs
        if (leg.venue, leg.option.underlying) == (scan.venue, scan.underlying)
    )
    return Group(f"{PRODUCT}: {words}", held, 1, scan.requirement)


def _unused(legs: Sequence[MarginLeg], groups: Sequence[Group]) -> tuple[tuple[str, int], ...]:
    left: Counter[str] = Counter()
    for leg in legs:
        left[leg.option.id] += leg.quantity
    for group in groups:
        for name, count in group.legs:
            left[name] -= count
    return tuple((name, count) for name, count in left.items() if count)


_BY_SETTLEMENT: Mapping[MarginRule, Callable[[Sequence[MarginLeg]], float]] = MappingProxyType(
    {MarginRule.MAX_PAYOUT: payout_usd, MarginRule.MAX_LOSS: loss_usd}
)
