"""How many of which condor, with which hedge: the best package that keeps every limit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.instruments import VanillaOption
from engine.market import Floats
from engine.policy.condors import CondorOffer
from engine.policy.settings import Policy
from engine.risk.drawdown import VOL_RESPONSE
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import PricingView, unit_values

_MULTIPLIER = 100.0
_ES_TAIL = 0.025
_VOL_CLIP = (-0.05, 0.25)


@dataclass(frozen=True, slots=True)
class HedgeOffer:
    """An option that could be bought now: `ask` and `mid` in points per contract."""

    option: VanillaOption
    ask: float
    mid: float


@dataclass(frozen=True, slots=True)
class Package:
    """
    Condors with their tail hedge, sized.

    `expected` and `shortfall` (97.5 %) are USD to the condor's settlement under the real-world measure,
    after crossing spreads and fees; `hedge_ratio` is the scenario ratio h of D10 the integer lots reach;
    `drawdown` is the rule's worst share with its `cell`; `binding` names what stopped the next condor.
    """

    offer: CondorOffer
    condors: int
    hedge: HedgeOffer | None
    hedges: int
    expected: float
    shortfall: float
    hedge_ratio: float
    hedge_carry: float
    drawdown: float
    cell: str
    binding: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Capacity:
    """What bounds the package: committed capital, margin and cash in USD, and the losses already there."""

    capital: float
    margin: float
    cash: float
    defined_risk: float
    carried_loss: Floats
    high_vol: bool
    fee_per_contract: float


def best_package(
    offers: Sequence[CondorOffer],
    hedges: Sequence[HedgeOffer],
    view: PricingView,
    scenarios: Scenarios,
    returns: Mapping[float, Floats],
    policy: Policy,
    capacity: Capacity,
) -> Package | None:
    """
    The package worth most, expected result less a charge on expected shortfall (D33), as large as limits allow.

    Each offer is paired with each hedge; the hedge's lots are the fewest that bring the scenario hedge
    ratio to its target (D10); the condors are the most that keep drawdown, margin, cash, session cap and
    carry budget, found by closed integer search. None if no package is worth more than nothing.

    Parameters
    ----------
    returns : sampled real-world log returns of the index to each offer's settlement, by its `days`
    """
    unit = _UnitResults(view, scenarios, returns, capacity.fee_per_contract)
    best: Package | None = None
    most = 0.0
    for offer in offers:
        for hedge in hedges or (None,):
            package = _largest(offer, hedge, unit, policy, capacity)
            if package is None:
                continue
            worth = package.expected - policy.core.risk_aversion * package.shortfall
            if worth > most:
                best, most = package, worth
    return best


def _largest(
    offer: CondorOffer, hedge: HedgeOffer | None, unit: "_UnitResults", policy: Policy, capacity: Capacity
) -> Package | None:
    loss, reference = unit.condor_losses(offer), unit.reference
    gain = unit.hedge_gains(hedge) if hedge else np.zeros_like(loss)
    need = policy.hedge.ratio * max(loss[reference], 0.0)
    if hedge and need > 0 and gain[reference] <= 0:
        return None
    most = int(capacity.margin // offer.margin)
    counts = np.arange(1, most + 2)
    lots = np.ceil(counts * need / gain[reference] - 1e-9) if hedge and need > 0 else np.zeros(len(counts))
    premium = lots * (hedge.ask * _MULTIPLIER + unit.fee if hedge else 0.0)
    carry = lots * -unit.hedge_expected(hedge, offer.days) if hedge else np.zeros(len(counts))
    shares = (
        np.max(
            capacity.carried_loss[None, :] + counts[:, None] * loss[None, :] - lots[:, None] * gain[None, :],
            axis=1,
        )
        / capacity.capital
    )
    checks = {
        "margin": counts * offer.margin <= capacity.margin,
        "drawdown_2sd": shares <= float(policy.limits.drawdown_2sd),
        "cash": premium <= capacity.cash,
        "carry_budget": carry * 365.0 / offer.days <= float(policy.hedge.carry_budget) * capacity.capital,
    }
    if capacity.high_vol:
        checks["session_new_outer"] = premium <= float(policy.limits.session_new_outer) * capacity.defined_risk
    allowed = np.logical_and.reduce(list(checks.values()))
    if not allowed[0]:
        return None
    chosen = int(np.argmin(allowed)) - 1
    n, q = int(counts[chosen]), int(lots[chosen])
    outcome = n * unit.condor_outcome(offer)
    if hedge:
        outcome = outcome + q * unit.hedge_outcome(hedge, offer.days)
    tail = np.sort(outcome)[: max(1, int(np.ceil(_ES_TAIL * len(outcome))))]
    after = capacity.carried_loss + n * loss - q * gain
    return Package(
        offer=offer,
        condors=n,
        hedge=hedge if q else None,
        hedges=q,
        expected=float(outcome.mean()),
        shortfall=float(-tail.mean()),
        hedge_ratio=float(q * gain[reference] / (n * loss[reference])) if loss[reference] > 0 else np.inf,
        hedge_carry=float(carry[chosen]),
        drawdown=float(shares[chosen]),
        cell=unit.scenarios.names[int(np.argmax(after))],
        binding=tuple(name for name, holds in checks.items() if not holds[chosen + 1]),
    )


class _UnitResults:
    """Losses, gains and outcomes of one unit of each instrument, valued once and remembered."""

    def __init__(self, view: PricingView, scenarios: Scenarios, returns: Mapping[float, Floats], fee: float) -> None:
        self.view, self.scenarios, self.fee = view, scenarios, fee
        self.reference = next(i for i, name in enumerate(scenarios.names) if "-2 SD" in name and "mid vol" in name)
        self._returns = returns
        self._stressed: dict[VanillaOption, Floats] = {}
        self._outcomes: dict[tuple[VanillaOption, float], Floats] = {}

    def condor_losses(self, offer: CondorOffer) -> Floats:
        """USD loss per condor in each scenario, the cost of crossing and fees carried."""
        change = np.zeros(len(self.scenarios))
        for leg, quantity in zip(offer.condor.legs, offer.condor.quantities, strict=True):
            change = change + quantity * self._change(leg)
        return -change + (offer.mid_credit - offer.credit) * _MULTIPLIER + 4 * self.fee

    def hedge_gains(self, hedge: HedgeOffer) -> Floats:
        """USD gain per hedge contract in each scenario, the cost of crossing carried."""
        return self._change(hedge.option) - (hedge.ask - hedge.mid) * _MULTIPLIER - self.fee

    def condor_outcome(self, offer: CondorOffer) -> Floats:
        """USD per condor at its settlement in each sampled return."""
        payoff = np.zeros(len(self._returns[offer.days]))
        for leg, quantity in zip(offer.condor.legs, offer.condor.quantities, strict=True):
            payoff = payoff + quantity * self._outcome(leg, offer.days)
        return payoff + offer.credit * _MULTIPLIER - 4 * self.fee

    def hedge_outcome(self, hedge: HedgeOffer, days: float) -> Floats:
        """USD per hedge contract after `days` in each sampled return, premium and fee paid."""
        return self._outcome(hedge.option, days) - hedge.ask * _MULTIPLIER - self.fee

    def hedge_expected(self, hedge: HedgeOffer | None, days: float) -> float:
        """Expected USD per hedge contract: its carry, negative when it costs."""
        return float(self.hedge_outcome(hedge, days).mean()) if hedge else 0.0

    def _change(self, option: VanillaOption) -> Floats:
        if option not in self._stressed:
            before = unit_values(option, self.view, Scenarios.now())[0]
            self._stressed[option] = unit_values(option, self.view, self.scenarios) - before
        return self._stressed[option]

    def _outcome(self, option: VanillaOption, days: float) -> Floats:
        key = (option, days)
        if key not in self._outcomes:
            spot = self._returns[days]
            vol = np.clip(VOL_RESPONSE * spot, *_VOL_CLIP)
            ends = Scenarios.of(spot, vol, np.full_like(spot, days))
            self._outcomes[key] = unit_values(option, self.view, ends)
        return self._outcomes[key]
