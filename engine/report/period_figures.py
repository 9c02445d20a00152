"""Every figure of a period's report under a name of its own, with where it comes from."""

from collections.abc import Iterable, Iterator
from datetime import date

from engine.ledger.attribution import NAMES
from engine.ledger.statements import WEDGES
from engine.money import USD, Money
from engine.positions import Sleeve
from engine.report.day_parts import part_by_day
from engine.report.figures import Figure, Legs
from engine.report.linked import daily_returns, drawdown
from engine.report.performance import EngineReturn, PeriodReturn
from engine.report.period_report import PeriodReport
from engine.report.period_returns import BLENDED, engine_returns
from engine.report.risk_rows import LimitRow, Unit
from engine.report.valued import total

USD_UNIT, RATE, SHARE, BP = "USD", "rate", "share", "bp"


def figures(report: PeriodReport) -> tuple[Figure, ...]:
    """All figures, in the order of the report; names are unique."""
    rows = engine_returns(report)
    return (
        *_values(report),
        *_flows(report),
        *(each for row in rows for each in _returns(row)),
        *_rule(report),
        *_drawdown(report),
        *_parts(report),
        *_balances(report),
        *_from_mark(report),
    )


def _of(sleeve: Sleeve | None) -> str:
    return sleeve.value if sleeve else BLENDED


def _accounts(kind: str, sleeve: Sleeve | None) -> tuple[str, ...]:
    """Accounts of a kind: `assets` go by sleeve then venue, the others end with the sleeve."""
    name = sleeve.value if sleeve else "*"
    return (f"assets:{name}:*",) if kind == "assets" else (f"{kind}:{name}",)


def _values(report: PeriodReport) -> Iterator[Figure]:
    opens, end = report.period.opens, report.period.last
    before = report.source.marks.at(opens)
    for sleeve in (None, *Sleeve):
        name, accounts = _of(sleeve), _accounts("assets", sleeve)
        yield _holding(
            f"nav.opening.{name}", total(report.opening, sleeve), accounts, opens, before.day if before else None
        )
        yield _flow(
            f"put_in.{name}",
            total(report.put_in, sleeve),
            "capital put in less taken out, each amount at its day's mark",
            Legs(_accounts("equity:capital", sleeve), end, opens, sign=-1),
        )
        yield _holding(
            f"nav.closing.{name}",
            total(report.closing, sleeve),
            accounts,
            end,
            report.mark.day if report.mark else None,
        )
        yield Figure(
            f"gain.{name}",
            report.gain(sleeve),
            USD_UNIT,
            "closing value less opening value less capital put in",
            of=(f"nav.closing.{name}", f"nav.opening.{name}", f"put_in.{name}"),
        )
        exits = report.mark.exits if report.mark else {}
        usd = sum(exits.values()) if sleeve is None else exits.get(sleeve.value, 0.0)
        marked = report.mark.day if report.mark else end
        yield Figure(
            f"exit.{name}",
            Money.rounded(usd, USD),
            USD_UNIT,
            f"half spreads and gas of leaving every position, kept with the mark of {marked}",
        )


def _holding(name: str, value: Money, accounts: tuple[str, ...], day: date, priced: date | None) -> Figure:
    words = f"what these accounts hold after {day}, each instrument of each account at its mark of {priced or day}"
    return Figure(name, value, USD_UNIT, words, (Legs(accounts, day),), priced or day)


def _flow(name: str, value: Money, words: str, *legs: Legs) -> Figure:
    return Figure(name, value, USD_UNIT, words, legs)


def _flows(report: PeriodReport) -> Iterator[Figure]:
    """What was paid and earned, account by account; paid is positive."""
    for account, usd in report.flows.items():
        root, kind, sleeve = account.split(":")
        paid = root == "expenses"
        yield _flow(
            f"{'paid' if paid else 'earned'}.{kind}.{sleeve}",
            usd if paid else -usd,
            f"postings to {account} in the period, each day's at its mark",
            Legs((account,), report.period.last, report.period.opens, sign=1 if paid else -1),
        )


def _returns(row: EngineReturn) -> Iterator[Figure]:
    ends = (f"nav.opening.{row.engine}", f"put_in.{row.engine}", f"nav.closing.{row.engine}")
    at_exit = (*ends, f"exit.{row.engine}")
    for name, found, words, of in (
        ("irr.gross", row.gross, "money-weighted rate of the flows with every cost added back on its day", at_exit),
        (
            "irr.net",
            row.net,
            "money-weighted rate of opening value, capital put in and closing value less exit",
            at_exit,
        ),
        ("twr.net", row.time_weighted, "returns between marked days, linked; values at mid", ends),
        ("dietz.net", row.modified_dietz, "gain over average capital, weighted by days (Modified Dietz)", at_exit),
        ("mirr.net", row.mirr, "receipts compounded to the end over payments discounted to the start", at_exit),
    ):
        if found is not None:
            yield _rate(f"{name}.{row.engine}", found, words, of)
    for wedge in row.wedges:
        yield Figure(
            f"wedge.{wedge.label}.{row.engine}",
            wedge.bp,
            BP,
            f"net return with {wedge.label} less the return without it, in the order {', '.join(WEDGES)}",
            of=(f"irr.gross.{row.engine}", f"irr.net.{row.engine}"),
        )


def _rate(name: str, found: PeriodReturn, words: str, of: tuple[str, ...]) -> Figure:
    span = "a year" if found.annualised else f"over {found.days} days, not annualised"
    return Figure(name, found.rate, RATE, f"{words}; {found.why or span}", of=of)


def _rule(report: PeriodReport) -> Iterator[Figure]:
    if (found := report.positive) is not None:
        words = f"net return above zero at the worse of mid and liquidation, {found.closing:,.2f} USD"
        yield Figure("irr.positive", found.holds, "", words, of=(f"irr.net.{BLENDED}", f"exit.{BLENDED}"))


def _drawdown(report: PeriodReport) -> Iterator[Figure]:
    if len(report.points) > 1:
        found = drawdown(daily_returns(report.points), report.points[0].on)
        words = f"deepest fall of linked daily returns, from {found.peak} to {found.trough}"
        yield Figure(f"drawdown.{BLENDED}", found.depth, RATE, words, of=(f"twr.net.{BLENDED}",))


def _parts(report: PeriodReport) -> Iterator[Figure]:
    kept = [(mark.day, mark.parts) for mark in report.source.marks.between(report.period.opens, report.period.last)]
    for engine in (BLENDED, *report.parts):
        rows = report.parts.values() if engine == BLENDED else [report.parts[engine]]
        for name in NAMES:
            daily = part_by_day(kept, engine, name)
            if daily:
                value = Money(sum(row.get(name, 0) for row in rows), USD)
                words = "sum over marked days of what yesterday's sensitivities, or the day's accounts, say of that day"
                yield Figure(f"attribution.{engine}.{name}", value, USD_UNIT, words, daily=daily)
    yield Figure(
        f"attribution.{BLENDED}.unmarked",
        report.unmarked,
        USD_UNIT,
        "gain less all parts: postings outside marked spans, and later ones into them",
        of=(f"gain.{BLENDED}",),
    )


def _balances(report: PeriodReport) -> Iterator[Figure]:
    opens, end = report.period.opens, report.period.last
    for line in report.lines:
        stem = f"{line.account}.{line.instrument}"
        for kind, held, legs in (
            ("opening", line.opening, Legs((line.account,), opens, None, line.instrument)),
            ("change", line.change, Legs((line.account,), end, opens, line.instrument)),
            ("closing", line.closing, Legs((line.account,), end, None, line.instrument)),
        ):
            words = f"postings of {line.instrument} to {line.account}"
            yield Figure(f"balance.{kind}.{stem}", held, line.instrument, words, (legs,))


def _named_limits(rows: Iterable[LimitRow]) -> Iterator[tuple[str, LimitRow]]:
    """Limits by the name they keep from day to day, with whose each is where there are several."""
    for row in rows:
        yield ".".join(filter(None, (row.limit.partition(" (")[0], row.subject))), row


def _from_mark(report: PeriodReport) -> Iterable[Figure]:
    if (mark := report.mark) is None:
        return
    words = f"kept with the mark of {mark.day}, made from snapshot {mark.snapshot[:8]} and policy {mark.policy[:8]}"
    for name, row in _named_limits(mark.limits):
        unit = SHARE if row.unit is Unit.SHARE else row.unit.value
        yield Figure(f"limit.{name}", row.reading, unit, f"{row.limit}; reading {words}")
    for ratio in mark.quick_ratios:
        yield Figure(
            f"quick_ratio.{ratio.of}.{ratio.days:g}d",
            ratio.ratio,
            "x",
            f"{ratio.liquid:,.2f} USD liquid over {ratio.due:,.2f} USD due; {words}",
        )
    for place in mark.liquidity:
        for days, home, there in zip((0, 1, 3), place.at_home, place.at_broker, strict=True):
            yield Figure(
                f"liquidity.{place.place}.{days}d", Money.rounded(home, USD), USD_UNIT, f"paid where it lies; {words}"
            )
            yield Figure(
                f"at_broker.{place.place}.{days}d",
                Money.rounded(there, USD),
                USD_UNIT,
                f"at the broker by then; {words}",
            )
