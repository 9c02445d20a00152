"""The whole job on one page: observe, decide, plan, check. What follows has effects and lives in `plan.saga`."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from engine.errors import LimitBreached
from engine.ledger.earnings import NOTHING, Earnings
from engine.ledger.openings import Legs
from engine.market import Floats, LendingMarket, MarketSnapshot
from engine.orders import CheckedPlan, Order, Plan, StateMark, VaultBatch
from engine.plan.canonical import sealed
from engine.policy.capital_cost import loan_cost
from engine.policy.evidence import observed, session_closes
from engine.policy.judgement import Judgement, judgement
from engine.policy.outcomes import Law
from engine.policy.proceeds import Proceeds, distributed, routed
from engine.policy.ruling import Ruling
from engine.policy.settings import Policy
from engine.policy.target import Frame, Target, frame, target
from engine.policy.upkeep import Upkeep, upkeep
from engine.policy.waterfall import Stage
from engine.positions import Book
from engine.risk.check import Readings, check
from engine.risk.limits import LimitReading, limit_readings
from engine.risk.physical import physical_returns, variance_premium
from engine.risk.valuation import PricingView
from engine.risk.view import pricing_view


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """
    Everything the engine would do now, and what it saw.

    `upkeep` is what the positions held ask for; `readings` are the limits of the book as it stands; `proceeds` is
    what was earned since the last decision and where it goes.
    """

    snapshot: MarketSnapshot
    view: PricingView
    book: Book
    policy: Policy
    judgement: Judgement
    frame: Frame
    target: Target
    upkeep: Upkeep
    readings: tuple[LimitReading, ...]
    proceeds: Proceeds

    @property
    def reasons(self) -> tuple[str, ...]:
        """What binds the target or stopped it, what the positions held ask for, and where proceeds went."""
        return (*self.target.reasons, *self.upkeep.words, *self.proceeds.words)


def decide(
    snapshot: MarketSnapshot,
    book: Book,
    policy: Policy,
    judged: Judgement | None = None,
    *,
    fee_per_contract: float,
    borrowed_cash: float = 0.0,
    session_outer: float = 0.0,
    law: Law = Law.REAL_WORLD,
    without: Collection[str] = (),
    opened: Mapping[Legs, float] | None = None,
    earned: Earnings = NOTHING,
) -> Decision:
    """
    What to do now, and why. Pure: the same inputs give the same decision.

    Parameters
    ----------
    judged : what the policy makes of all evidence; without it, of what the snapshot itself carries
    fee_per_contract : broker's fees for one index option, USD
    borrowed_cash : USD at the broker that a loan brought and that may serve as margin (S46)
    session_outer : USD of maximum loss of outer layers opened or working in this session by earlier orders (D12)
    law : the measure expectations are taken under (D33)
    without : hard limits to lift, by name: what the answer would be, which no check lets through
    opened : credit in points each condor held was opened for, by its contracts; others are unseen (D31)
    earned : what was realised since the last decision, which the waterfall distributes (X13)
    """
    judged = judged or judged_alone(snapshot, policy)
    view, ruling = pricing_view(snapshot), judged.ruling
    measure = frame(snapshot, view, book, policy, ruling, session_outer=session_outer)
    shared = distributed(earned, book, view, policy, measure)
    hedged = ruled(policy, ruling, shared, capital=measure.limits.capital)
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
        reinvested=shared.of(Stage.REINVEST),
        law=law,
        premium=premium,
        without=without,
    )
    measured = limits_of(snapshot, view, measure)
    paid = routed(shared, aim.core, book, lambda held: measured(held, 0.0))
    care = upkeep(
        snapshot,
        view,
        book,
        policy,
        measure,
        aim.core,
        returns=returns,
        readings=lambda held: measured(held, 0.0),
        event_diverges=judged.rolls,
        fee_per_contract=fee_per_contract,
        opened=opened,
    )
    return Decision(snapshot, view, book, policy, judged, measure, aim, care, measured(book, 0.0), paid)


def ruled(policy: Policy, ruling: Ruling, shared: Proceeds, *, capital: float) -> Policy:
    """The policy with the hedge ratio of the ruling, and the carry that proceeds pay beside its own budget (S25)."""
    extra = Decimal(str(shared.of(Stage.HEDGE) / capital))
    hedge = {"ratio": ruling.hedge_ratio, "carry_budget": policy.hedge.carry_budget + extra}
    return policy.model_copy(update={"hedge": policy.hedge.model_copy(update=hedge)})


def judged_alone(snapshot: MarketSnapshot, policy: Policy) -> Judgement:
    """What the policy makes of the evidence a snapshot itself carries; everything else is unseen."""
    return judgement(observed(snapshot, asset=policy.loop.asset), session_closes(snapshot), policy)


def limits_of(snapshot: MarketSnapshot, view: PricingView, measure: Frame) -> Readings:
    """A function from any book to the readings of every hard limit, on this market."""

    def readings(book: Book, outer: float) -> tuple[LimitReading, ...]:
        return limit_readings(
            book,
            view,
            measure.scenarios,
            measure.limits,
            thresholds=measure.funding.thresholds,
            session_new_outer=measure.session_outer + outer,
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
            notes=(*decision.snapshot.modelled, *decision.reasons),
            digest="",
        )
    )


def checked(
    plan: Plan, snapshot: MarketSnapshot, book: Book, policy: Policy, *, session_outer: float = 0.0
) -> CheckedPlan:
    """
    The plan, if every state it can leave the book in keeps every limit on this market.

    Raises `LimitBreached` with all breaches. Whoever plans, signs or applies judges it on their own snapshot, and
    on what earlier orders of the session have used of its cap (`session_outer`, USD, D12).
    """
    view = pricing_view(snapshot)
    ruling = judged_alone(snapshot, policy).ruling
    measure = frame(snapshot, view, book, policy, ruling, session_outer=session_outer)
    outcome = check(plan, book, limits_of(snapshot, view, measure))
    if isinstance(outcome, CheckedPlan):
        return outcome
    raise LimitBreached(outcome)


def unchecked(plan: Plan) -> CheckedPlan:
    """A plan whose execution began after it was checked: it is continued, not judged again half way."""
    return CheckedPlan(plan, {})
