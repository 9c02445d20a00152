"""One report of one desk: every number from the journal, its marks, the chain and the day's market."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from engine.cycle import limits_of
from engine.ledger import balances
from engine.ledger.attribution import NAMES
from engine.ledger.wacc import Source
from engine.market import MarketSnapshot
from engine.money import USD, Money
from engine.orders import Fill, PlanApproval
from engine.policy.capital_cost import cost_of_capital
from engine.policy.settings import Policy
from engine.policy.target import frame
from engine.positions import Book, Sleeve
from engine.report.blended import BlendedReport, BookState, EngineNav, Headline, Provenance
from engine.report.book_rows import AccountTotal, ApprovalRow, FillRow, PlanRow
from engine.report.exposure import condor_payoff, heat_map, lending_rows, limit_rows, position_rows, scenario_rows
from engine.report.performance import Attribution, CostPart, NavPoint, PeriodReturn, WaccRow
from engine.report.period import INCEPTION
from engine.report.period_report import PeriodReport
from engine.report.period_returns import engine_returns, stated
from engine.report.valued import total
from engine.risk.pricing_view import PricingView
from engine.risk.view import pricing_view
from scripts.desk import Desk
from scripts.flow import Proposal
from scripts.kept import kept_marks, open_breaks
from scripts.marking import make
from scripts.period import read_report

VERSION = "0.1.0"
_SETTLED = (
    "PM options settled at the recorded close, AM options at the recorded opening level, which stands for the "
    "opening auction's own value; the ether put at the modelled ether price."
)
_PARTS = {
    "delta": "delta", "gamma": "gamma", "vega": "vega", "theta": "theta", "vanna": "vanna", "volga": "volga",
    "rho": "rates", "depeg": "depeg", "carry": "interest, funding and distributions", "trading": "trades of the day",
    "fees": "fees paid", "gas": "gas paid", "slippage": "slippage paid", "mev": "leakage to searchers",
    "residual": "unexplained",
}  # fmt: skip


@dataclass(slots=True)
class Story:
    """
    What happened on a desk, as far as the journal does not say it.

    `opened` is the snapshot the exposure is shown on, with the book as it was then; `nav` is the value at
    every mark kept so far.
    """

    opened: MarketSnapshot
    opened_book: Book
    settled: bool = False
    proposal: Proposal | None = None
    fills: Sequence[Fill] = ()
    approvals: Sequence[PlanApproval] = ()
    nav: list[NavPoint] = field(default_factory=list)


def present(desk: Desk) -> BlendedReport:
    """The report of a desk as it stands; nothing is kept."""
    return compose(desk, Story(desk.observe(), balances.book(desk.journal.entries())))


def compose(desk: Desk, story: Story) -> BlendedReport:
    """The whole report as data; the page and the tables only render it."""
    snapshot, book = desk.observe(), balances.book(desk.journal.entries())
    view, opened_view = pricing_view(snapshot), pricing_view(story.opened)
    mark = make(desk)
    result = read_report(desk.journal, INCEPTION, kept_marks(desk.journal).with_last(mark))
    measure = frame(story.opened, opened_view, story.opened_book, desk.policy)
    readings = limits_of(story.opened, opened_view, measure)(story.opened_book, 0.0)
    capital = cost_of_capital(story.opened, story.opened_book, opened_view, desk.policy)
    target = story.proposal.decision.target if story.proposal else None
    return BlendedReport(
        title="Condor book and DeFi sleeve",
        asof=snapshot.asof,
        since=result.period.first,
        state=BookState.SETTLED if story.settled else BookState.OPEN,
        status=_status(story, result.period.last),
        headline=_top(desk, story, result, capital.rate),
        provenance=_provenance(desk, story),
        modelled=story.opened.modelled,
        nav=result.points,
        returns=engine_returns(result),
        attribution=_attribution(result),
        wacc=tuple(_wacc_row(source, weight) for source, weight in zip(capital.sources, capital.weights, strict=True)),
        limits=limit_rows(readings),
        positions=position_rows(book, view),
        greeks=mark.greeks,
        payoff=condor_payoff(story.opened_book, opened_view),
        heat=heat_map(story.opened_book, opened_view),
        scenarios=scenario_rows(story.opened_book, opened_view, measure.scenarios, measure.limits.capital),
        lending=lending_rows(
            story.opened_book,
            opened_view,
            story.opened.chain.lending,
            {decision.market: decision for decision in target.loans} if target else {},
        ),
        liquidity=mark.liquidity,
        quick_ratios=mark.quick_ratios,
        plan=_plan_rows(story),
        fills=tuple(_fill_row(fill, opened_view) for fill in story.fills),
        threshold=desk.vault.terms().threshold,
        approvals=tuple(_approval_rows(desk, story)),
        ledger=tuple(AccountTotal(line.account, line.closing, line.worth) for line in result.lines if line.closing),
        breaks=open_breaks(desk.journal, result.period.last),
        method=_method(story, desk.policy),
    )


def say_report(made: BlendedReport) -> None:
    """The report's headline, positions, limits and liquidity as plain lines and tables."""
    from engine.report.table import Align
    from engine.report.tables import tables
    from engine.report.wording import period_return
    from scripts.output import say, table

    headline = made.headline
    say(f"as of {made.asof.isoformat()}, {made.status}")
    for label in made.modelled:
        say(f"modelled: {label}")
    say(f"NAV {headline.nav}; " + ", ".join(f"{engine.engine} {engine.nav}" for engine in headline.by_engine))
    say(f"blended IRR {period_return(headline.irr)}; WACC {headline.wacc:.2%} a year")
    found = tables(made)
    for key in ("returns", "positions", "limits", "quick-ratios", "liquidity", "breaks"):
        each = found[key]
        if each.rows:
            numeric = [at for at, column in enumerate(each.columns) if column.align is Align.NUMBER]
            rows = [[cell.text for cell in row] for row in each.rows]
            table(each.caption, [column.heading for column in each.columns], rows, numeric=numeric)


def _top(desk: Desk, story: Story, result: PeriodReport, wacc: float) -> Headline:
    whole = total(result.closing)
    sleeve = result.closing[Sleeve.DEFI] + result.closing[Sleeve.TRANSIT]
    words = "realised over dated flows, net of every cost" if story.settled else "open positions at what leaving brings"
    if result.positive is not None:
        words += f"; {'above' if result.positive.holds else 'NOT above'} zero at the worse of mid and liquidation"
    return Headline(
        nav=whole,
        by_engine=tuple(EngineNav(part.value, result.closing[part]) for part in Sleeve),
        irr=_headline(result),
        irr_note=words,
        wacc=wacc,
        sleeve_share=sleeve.units / whole.units,
        sleeve_cap=float(desk.policy.limits.sleeve_cap),
    )


def _provenance(desk: Desk, story: Story) -> Provenance:
    serial, head = desk.journal.head()
    return Provenance(
        snapshot=story.opened.digest,
        policy=desk.policy_digest,
        plan=story.proposal.plan.digest if story.proposal else None,
        ledger=f"{serial} entries, head {head}",
        software=VERSION,
    )


def _headline(result: PeriodReport) -> PeriodReturn:
    """The money-weighted return; on the day the money came in, the plain gain on it, not annualised."""
    whole = result.found.blended
    if whole.net.rate is None and whole.put_in > 0 and whole.opening == 0 and whole.net.days == 0:
        return PeriodReturn(whole.gain / whole.put_in, 0, annualised=False)
    return stated(whole.net)


def _attribution(result: PeriodReport) -> tuple[Attribution, ...]:
    """Every part of the result over all engines; with what no mark covers they add up to it."""
    cents = {name: sum(row.get(name, 0) for row in result.parts.values()) for name in NAMES}
    rows = [Attribution(_PARTS[name], Money(part, USD)) for name, part in cents.items() if part]
    unmarked = [Attribution("not taken apart by a mark", result.unmarked)] if result.unmarked else []
    return (*rows, *unmarked)


def _wacc_row(source: Source, weight: float) -> WaccRow:
    parts = {
        name: getattr(source.cost, name) for name in ("rate", "gas", "ramp", "liquidation", "protocol", "peg", "mev")
    }
    return WaccRow(
        source.name, weight, source.cost.total, tuple(CostPart(name, rate) for name, rate in parts.items() if rate)
    )


def _plan_rows(story: Story) -> tuple[PlanRow, ...]:
    if story.proposal is None:
        return ()
    filled = {fill.order_id for fill in story.fills}
    return tuple(
        PlanRow(
            step=order.step,
            venue=order.venue,
            quantity=", ".join(f"{leg.quantity.normalize():+f}" for leg in order.legs),
            limit=order.limit,
            state="filled" if order.id in filled else "planned",
        )
        for order in story.proposal.plan.orders
    )


def _fill_row(fill: Fill, view: PricingView) -> FillRow:
    cash = next((c.held for c in fill.changes if c.held.currency == fill.slippage.currency), None)
    received = cash or Money.zero(fill.slippage.currency)
    fees = sum(
        float(fee.amount) * (1.0 if fee.currency == USD else view.token_usd.get(fee.currency.code, 1.0))
        for fee in fill.fees.values()
    )
    return FillRow(
        at=fill.at,
        step=fill.memo,
        venue=fill.changes[0].venue,
        cash=received,
        at_mid=received - fill.slippage,
        fees=_usd(fees),
        gas=Money.zero(USD),
        evidence=fill.key,
        final=fill.final,
    )


def _approval_rows(desk: Desk, story: Story) -> list[ApprovalRow]:
    signed = {approval.owner for approval in story.approvals}
    at = story.proposal.plan.asof if story.proposal else None
    return [
        ApprovalRow(f"owner {index}", owner, at if owner in signed else None)
        for index, owner in enumerate(sorted(desk.vault.terms().owners), start=1)
    ]


def _status(story: Story, today: date) -> str:
    if story.settled:
        return f"both books settled by {today}; the loan stands at its exact debt"
    return f"book open on {today}"


def _method(story: Story, policy: Policy) -> tuple[str, ...]:
    loop = policy.loop
    loan = (
        f"Loan costs assume {loop.horizon_days} days, {loop.ramp_fee:.2%} each way on the ramp, "
        f"{loop.protocol_loss:.2%} a year of collateral for protocol failure, MEV not charged."
    )
    return (
        "Positions are derived from the journal and agree with broker and chain to the unit.",
        "Exposure, limits and cost of capital are those of the opened book; NAV and returns those of the as-of date.",
        "Expected results use recorded closes scaled to an at-the-money forecast less half the variance premium (D33).",
        loan,
        *([_SETTLED] if story.settled else []),
        *(f"{name}: {words}" for name, words in story.opened.assumptions.items()),
    )


def _usd(amount: float) -> Money:
    return Money.rounded(amount, USD)
