"""What the book as it is held asks for: condors kept, taken or rolled, its delta, and packages set apart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.ledger.openings import Legs
from engine.market import MarketSnapshot
from engine.money import Money
from engine.orders import OrderLeg
from engine.policy.allocation import Allocation
from engine.policy.candidates import Columns
from engine.policy.capital_cost import cost_of_capital
from engine.policy.condors import CondorOffer
from engine.policy.conduct import Conducted, conducted
from engine.policy.guarded import Guarded, guarded
from engine.policy.holdings import holdings
from engine.policy.neutrality import Neutrality, neutrality
from engine.policy.outcomes import Returns, real_world
from engine.policy.rolls import RollDue, rolls_due
from engine.policy.settings import Policy
from engine.policy.stewardship import Steward
from engine.policy.target import Frame
from engine.positions import Book, Position, Sleeve
from engine.risk.arb_packages import ArbPackage
from engine.risk.limits import LimitReading
from engine.risk.pricing_view import PricingView


@dataclass(frozen=True, slots=True, eq=False)
class Upkeep:
    """
    What is to be done with what is held.

    `condors` are the steward's advice on each (D31), `rolls` those due with their combo (D25), `delta` the book
    against its no-trade band, None without an index option (D26), `packages` conversions and reversals that no
    hedge is sized on (D27). `break_evens` are those of every condor the target leaves, stressed (S15).
    """

    condors: tuple[Conducted, ...]
    rolls: tuple[RollDue, ...]
    delta: Neutrality | None
    packages: tuple[ArbPackage, ...]
    break_evens: tuple[Guarded, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Everything in words, what asks for a trade first."""
        advice = sorted(self.condors, key=lambda one: not one.closes)
        return (
            *(due.words for due in self.rolls),
            *(one.words for one in advice),
            *((self.delta.words,) if self.delta is not None else ()),
            *(package.words for package in self.packages),
            *(one.words for one in self.break_evens),
        )


def upkeep(
    snapshot: MarketSnapshot,
    view: PricingView,
    book: Book,
    policy: Policy,
    measure: Frame,
    wanted: Allocation | None,
    *,
    returns: Returns,
    readings: Callable[[Book], tuple[LimitReading, ...]],
    event_diverges: bool,
    fee_per_contract: float,
    opened: Mapping[Legs, float] | None = None,
) -> Upkeep:
    """
    What the open positions ask for on this market.

    Parameters
    ----------
    wanted : what the target makes of the condors and their hedges
    returns : sampled real-world returns; expectations of what is held are under P (D31, D33)
    readings : the hard limits of any book
    event_diverges : whether a rule asks for the core to be rolled (D23, D25)
    opened : credit in points each condor was opened for, by its contracts; one that is not there is unseen

    Source
    ------
    D25-D27, D31; S13, S15, S16, S31, S90-S92.
    """
    held, wacc = holdings(book, view), cost_of_capital(snapshot, book, view, policy).rate
    condors = [
        (offer, lots) for offer, lots in held.condors if lots > 0 and offer.condor.put_short.expiry > snapshot.asof
    ]
    steward = Steward(wacc, days=policy.roll.days_min, drawdown=float(policy.limits.drawdown_2sd))
    return Upkeep(
        _advice(condors, view, measure, steward, returns, fee_per_contract, readings(book), opened or {}),
        rolls_due(
            snapshot,
            view,
            condors,
            policy,
            event_diverges=event_diverges,
            session_room=max(
                measure.limits.session_new_outer * measure.limits.defined_risk - measure.session_outer, 0.0
            ),
            drawdown_after=lambda legs: _drawdown(readings(book.plus(_positions(legs)))),
        ),
        neutrality(book, view, capital=measure.limits.capital, crypto_beta=snapshot.crypto_beta),
        held.packages,
        guarded(wanted, book, view, wacc=wacc, capital=measure.limits.capital, limit=measure.limits.drawdown_2sd),
    )


def _advice(
    condors: Sequence[tuple[CondorOffer, int]],
    view: PricingView,
    measure: Frame,
    steward: Steward,
    returns: Returns,
    fee: float,
    limits: tuple[LimitReading, ...],
    opened: Mapping[Legs, float],
) -> tuple[Conducted, ...]:
    if not condors:
        return ()
    options = [leg for offer, _ in condors for leg in offer.condor.legs]
    beliefs = real_world(view, {(option.root, option.expiry) for option in options}, returns)
    columns = Columns(view, measure.scenarios, beliefs, options, fee=fee)
    holds = all(one.breach() is None for one in limits)
    return conducted(condors, columns, steward, limits_hold=holds, opened=opened)


def _positions(legs: tuple[OrderLeg, ...]) -> list[Position]:
    return [
        Position(leg.instrument, Money.of(leg.quantity, leg.instrument.unit), Sleeve.CONDOR, "broker") for leg in legs
    ]


def _drawdown(readings: tuple[LimitReading, ...]) -> float:
    return next(one.reading for one in readings if one.limit == "drawdown_2sd")
