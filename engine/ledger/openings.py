"""What structures brought when they were opened, read off the fills that opened them (D31)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.entries import Entry
from engine.instruments import Cash, VanillaOption
from engine.ledger.accounts import held_at
from engine.money import USD

Legs = frozenset[VanillaOption]
"""The contracts of one structure, whatever their sides."""


@dataclass(slots=True)
class _Sold:
    lots: int = 0
    cash: float = 0.0


def opening_credits(entries: Iterable[Entry]) -> Mapping[Legs, float]:
    """
    The mean credit of every structure that was opened as one order, in points per structure, costs taken off.

    A structure is a condor that one fill sold: its credit is the dollars that came with it. Buying it back changes
    no mean; legs traded one by one, or eight at once in a roll, have no credit of their own and are not here.
    """
    sold: defaultdict[Legs, _Sold] = defaultdict(_Sold)
    for entry in entries:
        options: dict[VanillaOption, int] = {}
        cash = 0.0
        for leg in entry.legs:
            if held_at(leg.account) is None:
                continue
            if isinstance(leg.instrument, VanillaOption):
                options[leg.instrument] = options.get(leg.instrument, 0) + int(leg.amount.amount)
            elif leg.instrument == Cash(USD):
                cash += leg.amount.to_float()
        if (lots := _lots(options)) and cash > 0:
            kept = sold[frozenset(options)]
            kept.lots += lots
            kept.cash += cash / float(next(iter(options)).multiplier)
    return {legs: each.cash / each.lots for legs, each in sold.items()}


def _lots(options: Mapping[VanillaOption, int]) -> int:
    """How many condors four contracts of one expiry are, shorts inside; 0 where they are none."""
    traded = sorted(options, key=lambda option: option.strike)
    lots = options[traded[0]] if len(traded) == 4 and len({(o.root, o.expiry) for o in traded}) == 1 else 0
    return lots if lots > 0 and [options[option] for option in traded] == [lots, -lots, -lots, lots] else 0
