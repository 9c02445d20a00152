"""The whole job on one page: observe, decide, plan, check. What follows has effects and lives in `plan.saga`."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.errors import LimitBreached
from engine.ledger.wacc import ChainLoan, marginal_cost
from engine.market import Floats, LendingMarket, MarketSnapshot
from engine.orders import CheckedPlan, Order, Plan, StateMark, VaultBatch
from engine.plan.canonical import sealed
from engine.policy.evidence import observed, session_closes
from engine.policy.judgement import Judgement, judgement
from engine.policy.outcomes import Law
from engine.policy.settings import Policy
from engine.policy.target import Frame, Target, frame, target
from engine.positions import Book
from engine.risk.check import Readings, check
from engine.risk.limits import LimitReading, limit_readings
from engine.risk.physical import physical_returns, variance_premium
from engine.risk.valuation import PricingView
from engine.risk.view import pricing_view


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Everything the engine would do now, and what it saw. `readings` are the limits of the book as it stands."""

    snapshot: MarketSnapshot
    view: PricingView
    book: Book
    policy: Policy
    judgement: Judgement
    frame: Frame
    target: Target
    readings: tuple[LimitReading, ...]


def decide(
    snapshot: MarketSnapshot,
    book: Book,
    policy: Policy,
    judged: Judgement | None = None,
    *,
    fee_per_contract: float,
    borrowed_cash: float = 0.0,
    law: Law = Law.REAL_WORLD,
    without: Collection[str] = (),
) -> Decision:
    """
    What to do now, and why. Pure: the same inputs give the same decision.

    Parameters
    ----------
    judged : what the policy makes of all evidence; without it, of what the snapshot itself carries
    fee_per_contract : broker's fees for one index option, USD
    borrowed_cash : USD at the broker that a loan brought and that may serve as margin (S46)
    law : the measure expectations are taken under (D33)
    without : hard limits to lift, by name: what the answer would be, which no check lets through
    """
    judged = judged or judged_alone(snapshot, policy)
    view, ruling = pricing_view(snapshot), judged.ruling
    measure = frame(snapshot, view, book, policy, ruling)
    hedged = policy.model_copy(update={"hedge": policy.hedge.model_copy(update={"ratio": ruling.hedge_ratio})})
    closes, day = snapshot.histories["SPX"], snapshot.asof.date()
    premium = variance_premium(closes, snapshot.histories["VIX"], day, shrink=policy.core.expectation_vrp_shrink)

    def returns(days: float, atm_vol: float) -> Floats:
        sessions = max(round(days * 252.0 / 365.0), 1)
        sampled = physical_returns(closes, day, sessions=sessions, years=days / 365.0, implied_vol=atm_vol, vrp=premium)
        return sampled.log_returns

    def cost(market: LendingMarket, debt: float) -> float:
        return loan_cost(market, debt, policy)

    aim = target(
        snapshot,
        view,
        book,
        hedged,
        measure,
        returns=returns,
        marginal_cost=cost,
        fee_per_contract=fee_per_contract,
        borrowed_cash=borrowed_cash,
        law=law,
        premium=premium,
        without=without,
    )
    readings = limits_of(snapshot, view, measure)(book, 0.0)
    return Decision(snapshot, view, book, policy, judged, measure, aim, readings)


def judged_alone(snapshot: MarketSnapshot, policy: Policy) -> Judgement:
    """What the policy makes of the evidence a snapshot itself carries; everything else is unseen."""
    return judgement(observed(snapshot, asset=policy.loop.asset), session_closes(snapshot), policy)


def loan_terms(debt_usd: float, market: LendingMarket, policy: Policy) -> ChainLoan:
    """What a loan of `debt_usd` costs besides its rate, by the policy's assumptions (D14)."""
    loop = policy.loop
    return ChainLoan(
        years=loop.horizon_days / 365.0,
        transactions=2.0,
        gas_usd=float(loop.gas_usd) / 2.0,
        ramp_in=float(loop.ramp_fee),
        ramp_out=float(loop.ramp_fee),
        liquidation_probability=float(loop.liquidation_probability),
        close_factor=0.5,
        penalty=float(loop.liquidation_penalty),
        hazard=float(loop.protocol_loss),
        loss_given_default=1.0,
        collateral_usd=debt_usd / market.ltv,
    )


def loan_cost(market: LendingMarket, debt_usd: float, policy: Policy) -> float:
    """All-in effective annual rate of the next `debt_usd` from this market (D14, D16)."""
    extra, tax = max(debt_usd, 1.0), float(policy.capital.tax)
    return marginal_cost(
        market,
        loan_terms(0.0, market, policy),
        loan_terms(extra, market, policy),
        debt_usd=0.0,
        extra_usd=extra,
        tax=tax,
    ).total


def limits_of(snapshot: MarketSnapshot, view: PricingView, measure: Frame) -> Readings:
    """A function from any book to the readings of every hard limit, on this market."""

    def readings(book: Book, outer: float) -> tuple[LimitReading, ...]:
        return limit_readings(
            book,
            view,
            measure.scenarios,
            measure.limits,
            thresholds=measure.funding.thresholds,
            session_new_outer=outer,
            high_vol=measure.ruling.high_vol,
            crypto_beta=snapshot.crypto_beta,
            gdp_uncertain=measure.ruling.gdp_uncertain,
            funding=measure.funding,
        )

    return readings


def stem(snapshot: MarketSnapshot, policy_digest: str, state: StateMark) -> str:
    """What makes the order ids of a plan unique to the state it was made from."""
    parts = f"{snapshot.digest}{policy_digest}{state.journal_hash}{state.safe_nonce}"
    return hashlib.sha256(parts.encode()).hexdigest()[:10]


def seal(
    decision: Decision,
    orders: Sequence[Order],
    batches: Sequence[VaultBatch],
    *,
    state: StateMark,
    policy_digest: str,
    deadline: datetime | None = None,
) -> Plan:
    """The plan over these orders, with its digest and deadline."""
    ends = deadline or decision.snapshot.asof + timedelta(hours=decision.policy.costs.plan_ttl_hours)
    return sealed(
        Plan(
            asof=decision.snapshot.asof,
            deadline=ends,
            snapshot_digest=decision.snapshot.digest,
            policy_digest=policy_digest,
            state=state,
            orders=tuple(orders),
            batches=tuple(batches),
            notes=(*decision.snapshot.modelled, *decision.target.reasons),
            digest="",
        )
    )


def checked(plan: Plan, snapshot: MarketSnapshot, book: Book, policy: Policy) -> CheckedPlan:
    """
    The plan, if every state it can leave the book in keeps every limit on this market.

    Raises `LimitBreached` with all breaches. Whoever plans, signs or applies judges it on their own snapshot.
    """
    view = pricing_view(snapshot)
    measure = frame(snapshot, view, book, policy, judged_alone(snapshot, policy).ruling)
    outcome = check(plan, book, limits_of(snapshot, view, measure))
    if isinstance(outcome, CheckedPlan):
        return outcome
    raise LimitBreached(outcome)


def unchecked(plan: Plan) -> CheckedPlan:
    """A plan whose execution began after it was checked: it is continued, not judged again half way."""
    return CheckedPlan(plan, {})
