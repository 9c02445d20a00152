"""The close of a day: the book valued once, taken apart, and kept in the journal for every later report."""

import math
from collections.abc import Sequence
from dataclasses import replace

from engine.cycle import limits_of
from engine.entries import Entry
from engine.ledger.attribution import Snapshot
from engine.ledger.balances import book as balances_book
from engine.ledger.balances import valuation_day
from engine.ledger.explained import unit_worth
from engine.money import USD, Money
from engine.policy.capital_cost import cost_of_capital, debt_rate
from engine.policy.target import frame
from engine.positions import Book, Sleeve
from engine.report import marks
from engine.report.day_parts import day_parts, summed
from engine.report.exposure import limit_rows
from engine.report.kept_view import written_view
from engine.report.liquidity import DAYS, liquidity_rows, quick_ratio_rows
from engine.report.marks import Mark, Marks
from engine.report.tenors import greek_rows
from engine.report.valued import blended, book_of, by_day, paid_in, total, worth_of
from engine.risk.drawdown import down_cells
from engine.risk.exits import exit_costs
from engine.risk.liquidity import book_ratio
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.view import pricing_view
from scripts.desk import Desk
from scripts.kept import MARK, MARKET, kept_market, kept_marks, posted_since


def keep(desk: Desk) -> Mark:
    """Value the book now and keep it as the session's mark; the last mark of a day is the one that counts."""
    mark, seen = _made(desk)
    now = desk.clock.now()
    desk.journal.note(MARKET, written_view(mark.day, seen.view, seen.book), now)
    desk.journal.note(MARK, marks.written(mark), now)
    return mark


def make(desk: Desk) -> Mark:
    """
    The book valued at the session's point and taken apart against the mark before, without keeping it.

    What was posted after that point is priced, and counted by the next mark.
    """
    return _made(desk)[0]


def _made(desk: Desk) -> tuple[Mark, Snapshot]:
    day, snapshot, balances = desk.market.day, desk.observe(), desk.journal.balances()
    view, book, final = pricing_view(snapshot), book_of(balances), desk.journal.balances(final_only=True)
    before = kept_marks(desk.journal).at(day)
    posted, serial = posted_since(desk.journal, before), desk.journal.head()[0]
    measure = frame(snapshot, view, book, desk.policy)
    cells, funding = down_cells(measure.scenarios), measure.funding
    mark = Mark(
        day=day,
        asof=snapshot.asof,
        snapshot=snapshot.digest,
        policy=desk.policy_digest,
        serial=serial,
        counted=min((at - 1 for at, entry in posted if valuation_day(entry.at) > day), default=serial),
        in_flight=sum(balances.get(key) != final.get(key) for key in balances.keys() | final.keys()),
        prices=_prices(book, view),
        exits={part.value: float(exit_costs(book.of(part), view, Scenarios.now())[0]) for part in Sleeve},
        finance_rate=debt_rate(cost_of_capital(snapshot, book, view, desk.policy)),
        bill_rate=math.expm1(snapshot.rates.rate(0.25)),
        parts={},
        limits=limit_rows(limits_of(snapshot, view, measure)(book, 0.0)),
        quick_ratios=quick_ratio_rows((days, book_ratio(book, view, cells, funding, days=days)) for days in DAYS),
        liquidity=liquidity_rows(book, view, funding),
        greeks=greek_rows(book, view),
        modelled=snapshot.modelled,
    )
    seen = Snapshot(view, book_of(desk.journal.balances(until=day)))
    now = [entry for _, entry in posted if valuation_day(entry.at) <= day]
    market = kept_market(desk.journal, before.day) if before else None
    if before is None or market is None:
        return mark, seen
    return _taken_apart(mark, seen, before, Snapshot(market, _without(seen.book, now)), now), seen


def _without(book: Book, entries: Sequence[Entry]) -> Book:
    """The book before these entries."""
    return book.plus(replace(change, held=-change.held) for change in balances_book(entries))


def _taken_apart(mark: Mark, seen: Snapshot, before: Mark, then: Snapshot, entries: Sequence[Entry]) -> Mark:
    """The mark with the result since the one before; one of the same day takes its place and what it took apart."""
    put_in = sum(blended(paid_in(by_day(entries), Marks([before, mark]))).values(), Money.zero(USD))
    gained = total(worth_of(seen.book, mark)) - total(worth_of(then.book, before))
    parts = day_parts(then, seen, entries, result=gained - put_in)
    if before.day == mark.day:
        return replace(mark, after=before.after, parts=summed([before.parts, parts]))
    return replace(mark, after=before.day, parts=parts)


def _prices(book: Book, view: PricingView) -> dict[str, float]:
    """USD per unit of every token seen and of everything held; a future adds nothing, its gains are cash."""
    held = {p.instrument.id: unit_worth(p.instrument, view) for p in book}
    return dict(sorted({**view.token_usd, **held}.items()))
