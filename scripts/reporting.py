"""One report of one desk: every number from the journal, the chain and the day's market."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from engine import cycle
from engine.cycle import limits_of
from engine.entries import Entry
from engine.instruments import Instrument, LendingDebt
from engine.ledger import balances
from engine.ledger.irr import Basis, CashFlow, Return, time_weighted
from engine.ledger.statements import Performance, Statement, statement
from engine.ledger.wacc import Capm, Source, Wacc, wacc
from engine.market import MarketSnapshot
from engine.money import USD, Money
from engine.orders import Fill, PlanApproval
from engine.policy.settings import Policy
from engine.policy.target import frame
from engine.positions import Book, Sleeve
from engine.report.blended import (
    AccountTotal,
    ApprovalRow,
    Attribution,
    BlendedReport,
    BookState,
    CostPart,
    EngineNav,
    EngineReturn,
    FillRow,
    Headline,
    NavPoint,
    PeriodReturn,
    PlanRow,
    Provenance,
    WaccRow,
    Wedge,
)
from engine.report.exposure import condor_payoff, heat_map, lending_rows, limit_rows, position_rows, scenario_rows
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import STABLES, PricingView, book_values, unit_values
from engine.risk.view import pricing_view
from scripts.desk import Desk
from scripts.flow import Proposal

VERSION = "0.1.0"
_SETTLED = (
    "PM options settled at the recorded close, AM options at the recorded opening level, which stands for the "
    "opening auction's own value; the ether put at the modelled ether price."
)


@dataclass(slots=True)
class Story:
    """
    What happened on a desk, as far as the journal does not say it.

    `opened` is the snapshot the exposure is shown on, with the book as it was then; `nav` and `prices` (USD per
    token by day) grow as days pass.
    """

    opened: MarketSnapshot
    opened_book: Book
    settled: bool = False
    proposal: Proposal | None = None
    fills: Sequence[Fill] = ()
    approvals: Sequence[PlanApproval] = ()
    nav: list[NavPoint] = field(default_factory=list)
    prices: dict[date, Mapping[str, float]] = field(default_factory=dict)


def compose(desk: Desk, story: Story) -> BlendedReport:
    """The whole report as data; the page and the tables only render it."""
    entries = desk.journal.entries()
    snapshot, book = desk.observe(), balances.book(entries)
    view = pricing_view(snapshot)
    opened_view = pricing_view(story.opened)
    since = balances.valuation_day(entries[0].at)
    today = max(desk.market.day, *(balances.valuation_day(entry.at) for entry in entries))
    measure = frame(story.opened, opened_view, story.opened_book, desk.policy)
    readings = limits_of(story.opened, opened_view, measure)(story.opened_book, 0.0)
    capital = cost_of_capital(story.opened, story.opened_book, opened_view, desk.policy)
    worth = {sleeve: float(book_values(book.of(sleeve), view, Scenarios.now())[0]) for sleeve in Sleeve}
    returns = statement(
        entries,
        start=since - timedelta(days=1),
        end=today,
        opening=dict.fromkeys(Sleeve, 0.0),
        closing=worth,
        rate=lambda instrument, day: _rate(instrument, day, story.prices),
        finance_rate=capital.rate,
        reinvestment_rate=snapshot.rates.rate(0.25),
    )
    total = sum(worth.values())
    engines = {sleeve: _usd(usd) for sleeve, usd in worth.items()}
    serial, head = desk.journal.head()
    target = story.proposal.decision.target if story.proposal else None
    return BlendedReport(
        title="Condor book and DeFi sleeve",
        asof=snapshot.asof,
        since=since,
        state=BookState.SETTLED if story.settled else BookState.OPEN,
        status=_status(story, today),
        headline=Headline(
            nav=sum(engines.values(), Money.zero(USD)),
            by_engine=tuple(EngineNav(sleeve.value, engines[sleeve]) for sleeve in Sleeve),
            irr=_headline(returns.blended),
            irr_note="realised over dated flows, net of every cost" if story.settled else "open positions at mid",
            wacc=capital.rate,
            sleeve_share=(worth[Sleeve.DEFI] + worth[Sleeve.TRANSIT]) / total,
            sleeve_cap=float(desk.policy.limits.sleeve_cap),
        ),
        provenance=Provenance(
            snapshot=story.opened.digest,
            policy=desk.policy_digest,
            plan=story.proposal.plan.digest if story.proposal else None,
            ledger=f"{serial} entries, head {head}",
            software=VERSION,
        ),
        modelled=story.opened.modelled,
        nav=tuple(story.nav),
        returns=_returns(returns, entries, story),
        attribution=_attribution(returns),
        wacc=tuple(_wacc_row(source, weight) for source, weight in zip(capital.sources, capital.weights, strict=True)),
        limits=limit_rows(readings),
        positions=position_rows(book, view),
        payoff=condor_payoff(story.opened_book, opened_view),
        heat=heat_map(story.opened_book, opened_view),
        scenarios=scenario_rows(story.opened_book, opened_view, measure.scenarios, measure.limits.capital),
        lending=lending_rows(
            story.opened_book,
            opened_view,
            story.opened.chain.lending,
            {decision.market: decision for decision in target.loans} if target else {},
        ),
        plan=_plan_rows(story),
        fills=tuple(_fill_row(fill, opened_view) for fill in story.fills),
        threshold=desk.vault.terms().threshold,
        approvals=tuple(_approval_rows(desk, story)),
        ledger=tuple(
            AccountTotal(account, held)
            for (account, _), held in sorted(
                balances.trial_balance(entries).items(), key=lambda row: (row[0][0], row[0][1].id)
            )
        ),
        method=_method(story, desk.policy),
    )


def cost_of_capital(snapshot: MarketSnapshot, book: Book, view: PricingView, policy: Policy) -> Wacc:
    """Equity by the capital asset pricing model and every on-chain debt at its whole cost (D14)."""
    now = Scenarios.now()
    equity = float(book_values(book, view, now)[0])
    debts = []
    for position in book:
        instrument = position.instrument
        if isinstance(instrument, LendingDebt):
            owed = -float(position.quantity) * float(unit_values(instrument, view, now)[0])
            market = next(m for m in snapshot.chain.lending if m.name == instrument.market)
            terms = cycle.loan_terms(owed, market, policy)
            debts.append(
                Source(instrument.id, owed, terms.cost(market.borrow_rate, owed, tax=float(policy.capital.tax)))
            )
    debt = sum(source.usd for source in debts)
    unlevered = policy.capital.beta_levered / (1.0 + debt / equity)
    capm = Capm(snapshot.rates.rate(0.25), float(policy.capital.equity_premium), unlevered)
    return wacc(capm, equity, debts)


def _rate(instrument: Instrument, day: date, prices: Mapping[date, Mapping[str, float]]) -> float:
    code = instrument.currency.code
    if code == "USD":
        return 1.0
    known = [seen for seen in prices if seen <= day] or list(prices)
    found = prices[max(known)] if known else {}
    return found.get(code, 1.0 if code in STABLES else 0.0)


def _headline(whole: Performance) -> PeriodReturn:
    """The money-weighted return; on the day the money came in, the plain gain on it, not annualised."""
    if whole.net.rate is None and whole.put_in > 0 and whole.opening == 0 and whole.net.days == 0:
        return PeriodReturn(whole.gain / whole.put_in, 0, annualised=False)
    return _period(whole.net)


def _period(value: Return) -> PeriodReturn:
    return PeriodReturn(value.rate, value.days, annualised=value.basis is Basis.ANNUAL, why=value.note)


def _returns(found: Statement, entries: Sequence[Entry], story: Story) -> tuple[EngineReturn, ...]:
    rows = [(None, found.blended), *((sleeve, found.sleeves[sleeve]) for sleeve in Sleeve)]
    return tuple(
        _engine_return(sleeve, part, _linked(sleeve, entries, story))
        for sleeve, part in rows
        if part.put_in or part.gain
    )


def _linked(sleeve: Sleeve | None, entries: Sequence[Entry], story: Story) -> PeriodReturn:
    """Daily returns of one engine, or of all, linked over the days that were marked."""
    parts = tuple(Sleeve) if sleeve is None else (sleeve,)
    values = [(point.on, sum(getattr(point, part.value).to_float() for part in parts)) for point in story.nav]
    marked = {day for day, _ in values}
    flows = [
        CashFlow(flow.day, flow.paid.to_float() * _rate(flow.instrument, flow.day, story.prices))
        for flow in balances.capital_flows(entries)
        if flow.sleeve in parts and flow.day in marked
    ]
    if len(values) < 2:  # one valuation links nothing
        return PeriodReturn(None, 0, why="one valuation")
    return _period(time_weighted(values, flows))


def _engine_return(sleeve: Sleeve | None, performance: Performance, linked: PeriodReturn) -> EngineReturn:
    return EngineReturn(
        engine=sleeve.value if sleeve else "blended",
        gross=_period(performance.gross),
        net=_period(performance.net),
        time_weighted=linked,
        wedges=tuple(Wedge(label, bp) for label, bp in performance.wedges_bp.items()),
    )


def _attribution(found: Statement) -> tuple[Attribution, ...]:
    whole = found.blended
    costs = [Attribution(f"{kind} paid", _usd(-paid)) for kind, paid in whole.costs.items() if paid]
    trading = whole.gain - whole.earned + sum(whole.costs.values())
    return (
        Attribution("trading and marks", _usd(trading)),
        *([Attribution("interest earned", _usd(whole.earned))] if whole.earned else []),
        *costs,
    )


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
