"""The report of a period, from the journal and its marks alone: the same journal gives the same bytes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from engine.entries import Account, Entry
from engine.instruments import Instrument
from engine.ledger.balances import valuation_day
from engine.ledger.irr import CashFlow
from engine.ledger.returns import PositiveIrr, positive_irr
from engine.ledger.statements import Statement, statement
from engine.money import USD, Money
from engine.positions import Sleeve
from engine.report.book_rows import BreakRow
from engine.report.day_parts import summed
from engine.report.marks import Mark, Marks
from engine.report.performance import NavPoint
from engine.report.period import Period
from engine.report.valued import Balances, Holdings, Nav, blended, in_usd, nav_points, paid_in, price_at, total

FLOWS = ("expenses", "income")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    What a report of a period is made from.

    `opening` are the balances of all accounts at the valuation point of the day before the period, `days` the
    period's postings, one entry a day. `late` are the days whose postings came in after they were marked.
    """

    period: Period
    opening: Balances
    days: Sequence[Entry]
    marks: Marks
    breaks: tuple[BreakRow, ...] = ()
    late: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One account's instrument over the period: what it held before, what was posted, and what it holds after."""

    account: str
    instrument: str
    opening: Money
    change: Money
    price: float | None
    worth: Money | None

    @property
    def closing(self) -> Money:
        """Opening and change."""
        return self.opening + self.change


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodReport:
    """
    Results of a period, in cents; `found` are the money-weighted returns at liquidation value.

    `capital` is what was put in by engine and day, `flows` are USD by income and expense account, paid positive;
    `parts` the attribution by engine and part, which with `unmarked` add up to the gain. `mark` is the valuation the
    period closes at, None where only dollars are held.
    """

    source: Source
    opening: Nav
    closing: Nav
    put_in: Nav
    capital: Mapping[Sleeve, Mapping[date, Money]]
    points: tuple[NavPoint, ...]
    flows: Mapping[str, Money]
    parts: Mapping[str, Mapping[str, int]]
    lines: tuple[Line, ...]
    mark: Mark | None
    found: Statement
    positive: PositiveIrr | None
    stale: tuple[str, ...] = field(default=())

    @property
    def period(self) -> Period:
        """What the report is about."""
        return self.source.period

    @property
    def asof(self) -> datetime | None:
        """When the closing valuation was made."""
        return self.mark.asof if self.mark else None

    def gain(self, sleeve: Sleeve | None = None) -> Money:
        """Closing less opening less what was put in, of one sleeve or of all."""
        return total(self.closing, sleeve) - total(self.opening, sleeve) - total(self.put_in, sleeve)

    @property
    def unmarked(self) -> Money:
        """What the kept attributions do not cover: postings outside marked spans, and later ones into them."""
        return self.gain() - Money(sum(sum(row.values()) for row in self.parts.values()), USD)


def report(source: Source) -> PeriodReport:
    """
    Everything a period's report shows.

    Raises `MissingQuote` where something is held at either end that no mark prices.
    """
    opens, end, marks = source.period.opens, source.period.last, source.marks
    before, after = marks.at(opens), marks.at(end)
    holdings = Holdings(source.opening)
    opening = holdings.worth(before)
    for entry in source.days:
        holdings.post(entry)
    closing = holdings.worth(after)
    capital = paid_in(source.days, marks)
    crossed = blended(capital)
    found = _statement(source, _at_liquidation(opening, before), _at_liquidation(closing, after), after)
    return PeriodReport(
        source=source,
        opening=opening,
        closing=closing,
        put_in={sleeve: _sum(flows.values()) for sleeve, flows in capital.items()},
        capital=capital,
        points=nav_points(source.opening, source.days, marks, crossed, opens=opens, end=end),
        flows=_flows(source),
        parts=summed(mark.parts for mark in marks.between(opens, end)),
        lines=tuple(_lines(source, after)),
        mark=after,
        found=found,
        positive=_positive(found, source, crossed, closing, after),
        stale=tuple(_stale(source, before, after)),
    )


def rates(mark: Mark | None) -> tuple[float, float]:
    """Financing and reinvestment rate of MIRR; zero where nothing was ever marked and only dollars are held."""
    return (mark.finance_rate, mark.bill_rate) if mark else (0.0, 0.0)


def _statement(
    source: Source, opening: Mapping[Sleeve, float], closing: Mapping[Sleeve, float], mark: Mark | None
) -> Statement:
    finance, bill = rates(mark)
    return statement(
        source.days,
        start=source.period.opens,
        end=source.period.last,
        opening=opening,
        closing=closing,
        rate=source.marks.rate,
        finance_rate=finance,
        reinvestment_rate=bill,
    )


def _at_liquidation(nav: Nav, mark: Mark | None) -> dict[Sleeve, float]:
    """Value after leaving every position, as the mark priced that (D15)."""
    return {
        sleeve: usd.to_float() - (mark.exits.get(sleeve.value, 0.0) if mark and usd else 0.0)
        for sleeve, usd in nav.items()
    }


def _positive(
    found: Statement, source: Source, crossed: Mapping[date, Money], closing: Nav, mark: Mark | None
) -> PositiveIrr | None:
    """The positive-IRR rule at the worst of two marks of the open book: mid, and after leaving it."""
    whole, end = found.blended, source.period.last
    if not whole.put_in and not whole.opening:
        return None
    finance, bill = rates(mark)
    flows = [CashFlow(source.period.opens, -whole.opening)]
    flows += [CashFlow(day, -usd.to_float()) for day, usd in crossed.items()]
    mids = total(closing).to_float()
    return positive_irr(flows, end, [mids, whole.closing], confidence=1.0, finance_rate=finance, reinvestment_rate=bill)


def _flows(source: Source) -> dict[str, Money]:
    found: dict[str, Money] = {}
    for entry in source.days:
        day = valuation_day(entry.at)
        for leg in entry.legs:
            if leg.account.startswith(FLOWS):
                usd = in_usd(leg.amount, leg.instrument, source.marks.rate(leg.instrument, day))
                found[leg.account] = found.get(leg.account, Money.zero(USD)) + usd
    return dict(sorted(found.items()))


def _lines(source: Source, mark: Mark | None) -> Iterable[Line]:
    changes: dict[tuple[Account, Instrument], int] = {}
    for entry in source.days:
        for leg in entry.legs:
            key = leg.account, leg.instrument
            changes[key] = changes.get(key, 0) + leg.amount.units
    for account, instrument in sorted(source.opening.keys() | changes.keys(), key=lambda key: (key[0], key[1].id)):
        before = source.opening.get((account, instrument), Money.zero(instrument.unit))
        change = Money(changes.get((account, instrument), 0), instrument.unit)
        held = before + change
        priced = account.startswith("assets:") and bool(held)
        price = price_at(mark, instrument) if priced else None
        worth = in_usd(held, instrument, price) if price is not None else None
        yield Line(account, instrument.id, before, change, price, worth)


def _stale(source: Source, before: Mark | None, after: Mark | None) -> Iterable[str]:
    for words, day, mark in (("opening", source.period.opens, before), ("closing", source.period.last, after)):
        if mark is not None and mark.day != day:
            yield f"{words} value of {day} at the marks of {mark.day}"
    for day in source.late:
        yield f"postings of {day} came in after it was marked; its attribution is as of the mark"


def _sum(amounts: Iterable[Money]) -> Money:
    return sum(amounts, Money.zero(USD))
