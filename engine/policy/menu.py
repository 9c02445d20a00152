"""Everything that may be held on one market, with what is held already and what bounds it, for the solver."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from engine.instruments import Cash, VanillaOption
from engine.market import ExpiryQuotes, MarketSnapshot
from engine.money import USD
from engine.policy.allocate import Capacity
from engine.policy.candidates import MULTIPLIER, Candidate, Columns
from engine.policy.condors import CondorOffer, condor_offers
from engine.policy.event_widths import EventWidths, event_widths
from engine.policy.hedges import HedgeOffer, put_offers, vix_call_offers
from engine.policy.holdings import Holdings, holdings
from engine.policy.ruling import Ruling
from engine.policy.selection import Score, ranked
from engine.policy.settings import Policy
from engine.positions import Book, Sleeve
from engine.risk.limits import LimitSet
from engine.risk.margin import same_expiry_margin
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smile
from engine.risk.valuation import book_values

_MOST_EXPIRIES = 3
"""Expiries nearest to the target tenor that compete."""

_VIX_EXPIRIES = 2
"""VIX expiries beyond the shortest core tenor whose calls compete as hedges."""


@dataclass(frozen=True, slots=True, eq=False)
class Menu:
    """
    Condors and hedges by name: those `offered` may be added to, the others are held and may only be reduced.

    `held` is the book taken apart; `events` are what widens the wings of each expiry (D24b).
    """

    condors: Mapping[str, CondorOffer]
    hedges: Mapping[str, HedgeOffer]
    offered: frozenset[str]
    held: Holdings
    events: EventWidths

    @property
    def options(self) -> list[VanillaOption]:
        """Every contract of every structure."""
        legs = [leg for offer in self.condors.values() for leg in offer.condor.legs]
        return [*legs, *(offer.option for offer in self.hedges.values())]

    @property
    def widened(self) -> tuple[str, ...]:
        """Each event before an expiry on offer, and how much wider that expiry's wings stand for them."""
        offered = {self.condors[name].condor.put_short.expiry for name in self.offered & self.condors.keys()}
        scales = [f"{self.events.scale(expiry):.3f} at {expiry:%Y-%m-%d}" for expiry in sorted(offered)]
        if not (events := self.events.until(max(offered, default=None))):
            return ()
        return (*(event.words for event in events), f"wings times {', '.join(scales)} (D24b)")

    def candidates(self, columns: Columns, capital: float) -> tuple[Candidate, ...]:
        """The solver's columns; no more of anything than committed capital could margin or pay for."""
        lots: dict[str, int] = {}
        lots |= {offer.id: count for offer, count in self.held.condors}
        lots |= {offer.id: count for offer, count in self.held.hedges}

        def most(name: str, each: float) -> float:
            count = float(lots.get(name, 0))
            return max(float(np.floor(capital / each)), count) if name in self.offered else count

        return (
            *(
                columns.condor(offer, held=lots.get(name, 0), most=most(name, offer.margin))
                for name, offer in self.condors.items()
            ),
            *(
                columns.hedge(offer, held=lots.get(name, 0), most=most(name, max(offer.ask, 0.01) * MULTIPLIER))
                for name, offer in self.hedges.items()
            ),
        )

    def ranking(self, candidates: Sequence[Candidate]) -> tuple[Score, ...]:
        """Every condor on offer by what it is expected to earn per tail loss, the best first (S12)."""
        return ranked(
            (each.terms, each.outcomes - each.cost)
            for each in candidates
            if isinstance(each.terms, CondorOffer) and each.id in self.offered
        )


def menu(
    snapshot: MarketSnapshot, view: PricingView, book: Book, policy: Policy, meetings: Sequence[date] = ()
) -> Menu:
    """
    What the policy lets us hold of what is listed, and what the book holds already.

    A policy meeting before an expiry widens its condors by what the surface holds for it (S80, D24b).
    """
    slices = tradable_slices(snapshot, view, policy)
    events = event_widths(view.smiles, snapshot.asof, meetings)
    condors = {
        offer.id: offer
        for quotes, smile in slices
        for offer in condor_offers(quotes, smile, policy.core, wider=events.scale(quotes.expiry))
    }
    hedges = {offer.id: offer for offer in _hedges(snapshot, view, policy)}
    offered = frozenset(condors) | frozenset(hedges)
    held = holdings(book, view)
    condors |= {offer.id: offer for offer, _ in held.condors if offer.id not in offered}
    hedges |= {offer.id: offer for offer, _ in held.hedges if offer.id not in offered}
    return Menu(condors, hedges, offered, held, events)


def capacity(
    book: Book,
    held: Holdings,
    columns: Columns,
    limits: LimitSet,
    ruling: Ruling,
    *,
    borrowed_cash: float = 0.0,
    session_bought: float = 0.0,
) -> Capacity:
    """
    What bounds the holdings: budgets in USD, and what the part of the book that stays as it is uses of them.

    Hedges are sized on that part without its conversions and reversals (D27). `session_bought` is USD of maximum
    loss of outer layers the session has opened already (D12).
    """
    now = Scenarios.now()
    nav = float(book_values(book, columns.view, now)[0])
    sleeve = sum(float(book_values(book.of(part), columns.view, now)[0]) for part in (Sleeve.DEFI, Sleeve.TRANSIT))
    return Capacity(
        capital=limits.capital,
        margin=max(limits.own_margin + borrowed_cash - same_expiry_margin(held.fixed), 0.0),
        cash=max(book.held(Cash(USD), sleeve=Sleeve.CONDOR).to_float(), 0.0),
        defined_risk=limits.defined_risk,
        cells=columns.cells,
        losses=columns.losses(held.fixed),
        stress=columns.stress(held.rest.of(Sleeve.CONDOR)),
        calls=[at for at, name in enumerate(columns.cells) if name.startswith("1 session, -2 SD")],
        sleeve_share=sleeve / nav if nav > 0 else 0.0,
        leverage=ruling.leverage,
        may_add=ruling.may_add,
        high_vol=ruling.high_vol,
        measure=columns.measure.name,
        session_bought=session_bought,
        carried=columns.carried(held.rest),
    )


def tradable_slices(snapshot: MarketSnapshot, view: PricingView, policy: Policy) -> list[tuple[ExpiryQuotes, Smile]]:
    """The few expiries of the policy's tenors that lie nearest to its target, with their smiles."""
    rules = policy.core
    found = []
    for quotes in snapshot.spx.slices:
        smile = view.smiles.get((quotes.root, quotes.expiry))
        days = (quotes.expiry_date - snapshot.asof.astimezone(quotes.expiry.tzinfo).date()).days
        if smile is not None and rules.dte_min <= days <= rules.dte_max:
            found.append((abs(days - rules.dte_target), quotes, smile))
    found.sort(key=lambda row: (row[0], row[1].expiry, row[1].root))
    return [(quotes, smile) for _, quotes, smile in found[:_MOST_EXPIRIES]]


def _hedges(snapshot: MarketSnapshot, view: PricingView, policy: Policy) -> list[HedgeOffer]:
    offers = [
        offer
        for quotes, smile in tradable_slices(snapshot, view, policy)
        for offer in put_offers(quotes, smile, policy.hedge)
    ]
    if snapshot.vix_options is not None:
        later = [q for q in snapshot.vix_options.slices if q.years(snapshot.asof) * 365.0 >= policy.core.dte_min]
        for quotes in later[:_VIX_EXPIRIES]:
            smile = view.vix_smiles.get((quotes.root, quotes.expiry))
            if smile is not None:
                offers.extend(vix_call_offers(quotes, smile))
    return offers
