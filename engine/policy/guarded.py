"""Whether the book stands a week's move beyond the break-evens that its condors' capital charge leaves (S15)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.money import Money
from engine.policy.allocation import Allocation
from engine.policy.candidates import MULTIPLIER, Kind
from engine.policy.condors import CondorOffer
from engine.policy.hedges import HedgeOffer
from engine.positions import Book, Position, Sleeve
from engine.risk.break_even import BreakEvenStress, break_even_stress, capital_charge, charged_break_evens
from engine.risk.pricing_view import PricingView
from engine.risk.structures import condor_payoff


@dataclass(frozen=True, slots=True)
class Guarded:
    """
    One condor: what its capital costs until settlement in points, and the book's loss beyond each break-even.

    No `stresses` where capital costs more than it can earn: no level is left that gains.
    """

    offer: CondorOffer
    charge: float
    stresses: tuple[BreakEvenStress, ...]

    @property
    def holds(self) -> bool:
        """Whether there are break-evens, and every loss lies within the two-sigma rule's limit."""
        return bool(self.stresses) and all(stress.holds for stress in self.stresses)

    @property
    def words(self) -> str:
        """The break-evens after the charge, and what the book loses a week's deviation beyond them."""
        if not self.stresses:
            return f"{self.offer.id}: {self.charge:.2f} points of capital cost are more than it can earn (S15)"
        evens = "/".join(f"{stress.break_even:,.1f}" for stress in self.stresses)
        losses = "/".join(f"{stress.share:.2%}" for stress in self.stresses)
        verdict = "within" if self.holds else "BEYOND"
        limit = self.stresses[0].limit
        return (
            f"{self.offer.id}: break-evens {evens} after {self.charge:.2f} points of capital cost; a week's deviation "
            f"beyond them the book loses {losses} of capital, {verdict} {limit:.0%} (S15)"
        )


def guarded(
    wanted: Allocation | None, book: Book, view: PricingView, *, wacc: float, capital: float, limit: float
) -> tuple[Guarded, ...]:
    """
    Every condor of the book as the allocation would leave it.

    Parameters
    ----------
    wanted : nothing is changed, and nothing looked at, where it is None
    wacc : cost of capital, decimal per year, charged on each condor's margin until it settles
    capital, limit : committed USD, and the share of it that may be lost (D11)

    Source
    ------
    S15: k = 1 deviation, tau = 5 sessions.
    """
    if wanted is None:
        return ()
    after = book.plus(_changes(wanted))
    condors = [line.terms for line in wanted.lines if line.kind is Kind.CONDOR and line.wanted > 0]
    return tuple(
        _guarded(offer, after, view, wacc, capital, limit) for offer in condors if isinstance(offer, CondorOffer)
    )


def _guarded(offer: CondorOffer, book: Book, view: PricingView, wacc: float, capital: float, limit: float) -> Guarded:
    short = offer.condor.put_short
    charge = capital_charge(wacc, offer.days / 365.0, offer.margin / MULTIPLIER)
    payoff = condor_payoff(offer.condor, offer.credit)
    evens = charged_break_evens(payoff, charge) if payoff.best >= charge else ()
    vol = view.smiles[short.root, short.expiry].atm_vol
    return Guarded(offer, charge, break_even_stress(book, view, evens, vol=vol, capital=capital, limit=limit))


def _changes(wanted: Allocation) -> Sequence[Position]:
    """The contracts that the allocation buys and sells; the cash for them moves no loss."""
    found = []
    for line in wanted.changes:
        if isinstance(line.terms, CondorOffer):
            legs = zip(line.terms.condor.legs, line.terms.condor.quantities, strict=True)
        elif isinstance(line.terms, HedgeOffer):
            legs = zip((line.terms.option,), (1,), strict=True)
        else:
            continue
        found += [
            Position(leg, Money.of(Decimal(sign * int(line.change)), leg.unit), Sleeve.CONDOR, "wanted")
            for leg, sign in legs
        ]
    return found
