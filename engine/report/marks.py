"""One day's valuation as it was made at the close, kept so that every later report says the same."""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from typing import Any

from engine.errors import LedgerError, MissingQuote
from engine.instruments import Instrument, LendingDebt, LendingSupply
from engine.money import USD
from engine.report.plain_values import plain_value
from engine.report.risk_rows import GreekRow, LimitRow, LiquidityRow, QuickRatioRow, Unit

SCHEMA = "mark/1"

Parts = Mapping[str, Mapping[str, int]]
"""Cents by engine and part of `attribution.NAMES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """
    What a day's close said, beside the journal.

    `prices` are USD per unit by instrument id at mid, tokens by their code; `exits` USD that leaving each sleeve
    would cost now. `serial` is the journal's last record then, `counted` the last one before the first entry that
    was left to a later day; `in_flight` is how many balances stood on entries not final. `parts` take apart the
    result since the close of `after`; both are empty on the first day. `finance_rate` and `bill_rate` are decimals
    per year.
    """

    day: date
    asof: datetime
    snapshot: str
    policy: str
    serial: int
    counted: int
    in_flight: int = 0
    prices: Mapping[str, float]
    exits: Mapping[str, float]
    finance_rate: float
    bill_rate: float
    after: date | None = None
    parts: Parts
    limits: tuple[LimitRow, ...] = ()
    quick_ratios: tuple[QuickRatioRow, ...] = ()
    liquidity: tuple[LiquidityRow, ...] = ()
    greeks: tuple[GreekRow, ...] = ()
    modelled: tuple[str, ...] = ()

    def price(self, instrument: Instrument) -> float | None:
        """USD per unit, what is lent or owed at its token's price; None where it was not marked."""
        if instrument.id == USD.code:
            return 1.0
        found = self.prices.get(instrument.id)
        if found is None and isinstance(instrument, LendingSupply | LendingDebt):
            return self.prices.get(instrument.asset.code)
        return found

    @property
    def digest(self) -> str:
        """SHA-256 of the kept text."""
        return _digest(written(self))


def written(mark: Mark) -> str:
    """The text a mark is kept as; the same mark gives the same text."""
    plain = plain_value(mark)
    assert isinstance(plain, dict)
    return json.dumps({"schema": SCHEMA, **plain}, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read(text: str) -> Mark:
    """The mark of a kept text; raises `LedgerError` for one that was never written."""
    try:
        found = json.loads(text)
        return Mark(
            day=date.fromisoformat(found["day"]),
            asof=datetime.fromisoformat(found["asof"]),
            snapshot=found["snapshot"],
            policy=found["policy"],
            serial=found["serial"],
            counted=found["counted"],
            in_flight=found["in_flight"],
            prices={name: float(usd) for name, usd in found["prices"].items()},
            exits={name: float(usd) for name, usd in found["exits"].items()},
            finance_rate=_float(found["finance_rate"]),
            bill_rate=_float(found["bill_rate"]),
            after=date.fromisoformat(found["after"]) if found["after"] else None,
            parts={engine: {name: int(cents) for name, cents in row.items()} for engine, row in found["parts"].items()},
            limits=tuple(_limit(row) for row in found["limits"]),
            quick_ratios=tuple(QuickRatioRow(**_floats(row)) for row in found["quick_ratios"]),
            liquidity=tuple(
                LiquidityRow(row["place"], tuple(row["at_home"]), tuple(row["at_broker"])) for row in found["liquidity"]
            ),
            greeks=tuple(GreekRow(**_floats(row)) for row in found["greeks"]),
            modelled=tuple(found["modelled"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise LedgerError(
            "a mark cannot be read",
            why=f"{type(broken).__name__}: {broken}",
            todo="run `hedge ledger verify`, restore a backup",
        ) from broken


class Marks:
    """Every kept mark, the last of each day; a later one corrects an earlier."""

    def __init__(self, marks: Iterable[Mark], digests: Mapping[date, str] | None = None) -> None:
        self._digests = dict(digests or {})
        self._by_day = dict(sorted({mark.day: mark for mark in marks}.items()))
        self.days: tuple[date, ...] = tuple(self._by_day)
        """Marked days, rising."""
        self._rates: dict[tuple[Instrument, date], float] = {}

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Marks":
        """Marks as they were kept, in order of keeping."""
        kept = [(read(text), _digest(text)) for text in texts]
        return cls([mark for mark, _ in kept], {mark.day: digest for mark, digest in kept})

    def with_last(self, mark: Mark) -> "Marks":
        """These and one more, which stands for its day."""
        digests = {day: digest for day, digest in self._digests.items() if day != mark.day}
        return Marks([*self._by_day.values(), mark], digests)

    def digest(self, day: date) -> str:
        """SHA-256 of a marked day's kept text."""
        return self._digests.get(day) or self._by_day[day].digest

    def at(self, day: date) -> Mark | None:
        """The last mark not after a day: what it is valued at, however old."""
        past = bisect_right(self.days, day)
        return self._by_day[self.days[past - 1]] if past else None

    def between(self, after: date, until: date) -> tuple[Mark, ...]:
        """Marks after one day, up to and including another."""
        return tuple(
            self._by_day[day] for day in self.days[bisect_right(self.days, after) : bisect_right(self.days, until)]
        )

    def rate(self, instrument: Instrument, day: date) -> float:
        """
        USD per unit on a day: of the last mark not after it that has it, else of the first after it.

        Raises `MissingQuote` where no mark has it.
        """
        known = self._rates.get((instrument, day))
        if known is None:
            known = self._rates[instrument, day] = self._rate(instrument, day)
        return known

    def _rate(self, instrument: Instrument, day: date) -> float:
        if instrument.id == USD.code:
            return 1.0
        past = bisect_right(self.days, day)
        for at in chain(range(past - 1, -1, -1), range(past, len(self.days))):
            if (usd := self._by_day[self.days[at]].price(instrument)) is not None:
                return usd
        raise MissingQuote(
            f"no mark of {instrument.id} for {day}",
            why="no kept valuation prices it",
            todo="run `hedge reconcile` at the close of a day on which it is held or moves",
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _limit(row: Mapping[str, Any]) -> LimitRow:
    return LimitRow(**{**_floats(row), "unit": Unit(str(row["unit"]))})


def _floats(row: Mapping[str, Any]) -> dict[str, Any]:
    """Figures that JSON cannot carry, as floats again."""
    return {name: _float(value) if value in ("inf", "-inf", None) else value for name, value in row.items()}


def _float(value: object) -> float:
    return float("nan") if value is None else float(str(value))
