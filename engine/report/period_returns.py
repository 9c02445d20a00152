"""Returns of a period, engine by engine and blended, every way they are stated."""

from collections.abc import Mapping
from datetime import date

from engine.ledger.irr import Basis, Return, time_weighted
from engine.ledger.returns import SideBySide, side_by_side
from engine.ledger.statements import Performance
from engine.money import Money
from engine.positions import Sleeve
from engine.report.linked import flows_on, values_of
from engine.report.performance import EngineReturn, PeriodReturn, Wedge
from engine.report.period_report import PeriodReport, rates
from engine.report.valued import blended

BLENDED = "blended"


def engine_returns(report: PeriodReport) -> tuple[EngineReturn, ...]:
    """The blend, then each engine that had capital or a result."""
    rows = [(None, report.found.blended), *((sleeve, report.found.sleeves[sleeve]) for sleeve in Sleeve)]
    return tuple(_row(report, sleeve, part) for sleeve, part in rows if part.put_in or part.gain or part.opening)


def stated(found: Return) -> PeriodReturn:
    """A return as a report states it: never without its span."""
    return PeriodReturn(found.rate, found.days, annualised=found.basis is Basis.ANNUAL, why=found.note)


def _row(report: PeriodReport, sleeve: Sleeve | None, part: Performance) -> EngineReturn:
    beside = _beside(report, sleeve, part)
    return EngineReturn(
        engine=sleeve.value if sleeve else BLENDED,
        gross=stated(part.gross),
        net=stated(part.net),
        time_weighted=_linked(report, sleeve, part),
        wedges=tuple(Wedge(label, -bp) for label, bp in part.wedges_bp.items()),
        modified_dietz=stated(beside.modified_dietz) if beside else None,
        mirr=stated(beside.mirr) if beside else None,
    )


def _linked(report: PeriodReport, sleeve: Sleeve | None, part: Performance) -> PeriodReturn:
    """Daily returns at mid, linked."""
    values = _valued(report, sleeve, part)
    if len(values) < 2:
        return PeriodReturn(None, 0, why="one valuation")
    flows = flows_on([day for day, _ in values], _put_in(report, sleeve))
    return stated(time_weighted(values, flows))


def _beside(report: PeriodReport, sleeve: Sleeve | None, part: Performance) -> SideBySide | None:
    """Modified Dietz and MIRR between the two ends at liquidation value."""
    values = _valued(report, sleeve, part)
    if len(values) < 2:
        return None
    if part.opening:
        values[0] = values[0][0], part.opening
    if values[-1][0] == report.points[-1].on:
        values[-1] = values[-1][0], part.closing
    flows = flows_on([day for day, _ in values], _put_in(report, sleeve))
    finance, bill = rates(report.mark)
    return side_by_side(values, flows, finance_rate=finance, reinvestment_rate=bill)


def _valued(report: PeriodReport, sleeve: Sleeve | None, part: Performance) -> list[tuple[date, float]]:
    """
    Values at mid by day, from the first with something in it to the one on which nothing is left.

    What began in the period begins at what was paid in: what the first day cost is part of its return.
    """
    values = [(day, usd.to_float()) for day, usd in values_of(report.points, sleeve)]
    paid = _put_in(report, sleeve)
    began = min(paid, default=None)
    if not part.opening and began is not None:
        values = [(day, usd) for day, usd in values if day >= began]
        if values:
            first = values[0][0]
            values[0] = first, sum(usd.to_float() for day, usd in paid.items() if day <= first)
    last = max((at for at, (_, usd) in enumerate(values) if usd), default=-1)
    return values[: last + 2]


def _put_in(report: PeriodReport, sleeve: Sleeve | None) -> Mapping[date, Money]:
    return blended(report.capital) if sleeve is None else report.capital[sleeve]
