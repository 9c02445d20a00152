"""What the DeFi sleeve does: supply, borrow only when it earns its cost, and a put on its ether."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.market import Floats, LendingMarket, OptionListing
from engine.policy.loop import LoopLimits, LoopReadings, stops
from engine.policy.pools import unfit
from engine.policy.priority import SleeveCaps, SleeveRoom, sleeve_target
from engine.policy.ruling import Ruling
from engine.policy.settings import Policy
from engine.pricing.black import forward_value

STABLE_HAIRCUT = 0.01
"""What a stablecoin is worth less in the joint two-sigma stress (D11)."""


@dataclass(frozen=True, slots=True)
class LoopCase:
    """
    What borrowed dollars would do: `extra` more condors that earn `expected` USD over `days` on `margin` USD.

    `expected` is before every financing flow and before every cost that the loan's own rate carries (D14).
    `drawdown` and `quick_ratio` are what the portfolio would show with them.
    """

    extra: int
    margin: float
    expected: float
    days: float
    drawdown: float = 0.0
    quick_ratio: float = float("inf")

    @property
    def project_return(self) -> float:
        """Effective annual return on the margin, decimal; 0 where nothing more can be sold."""
        if not self.extra:
            return 0.0
        return float((1.0 + self.expected / self.margin) ** (365.0 / self.days) - 1.0)


@dataclass(frozen=True, slots=True)
class LoanDecision:
    """
    What one lending market is used for.

    `debt` is in tokens, 0 when refused; `edge_bps` is the project's return less the loan's all-in cost, in
    basis points a year, negative = shortfall; `health` is the factor after the joint two-sigma stress;
    `reasons` are the gates that refused it.
    """

    market: str
    asset: str
    debt: float
    project_return: float
    cost: float
    edge_bps: float
    health: float
    reasons: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        return self.debt > 0


@dataclass(frozen=True, slots=True)
class PutDecision:
    """The protective put of the sleeve: which listing, how many, and the scenario gain it brings in USD."""

    listing: OptionListing
    quantity: float
    unit_cost: float
    covered_loss: float


def stressed_health(
    collateral: Mapping[str, float],
    market: LendingMarket,
    debt_usd: float,
    prices: Mapping[str, float],
    eth_low: float,
    *,
    growth: float = 1.0,
) -> float:
    """
    Health factor after ether falls by `eth_low` (change of the logarithm), stables by their haircut, and
    interest has grown the debt by the factor `growth`.

    Infinite without debt (D17).
    """
    if debt_usd <= 0:
        return float("inf")
    secured = sum(
        tokens * prices[token] * market.counts(token) * shocked(token, eth_low) for token, tokens in collateral.items()
    )
    return secured / (debt_usd * growth)


def shocked(token: str, eth_low: float) -> float:
    """What is left of a token's price in the joint stress, decimal: ether fallen, a stablecoin at its haircut (D11)."""
    return float(np.exp(eth_low)) if token == "WETH" else 1.0 - STABLE_HAIRCUT


def loan_decision(
    market: LendingMarket,
    case: LoopCase,
    *,
    cost: float,
    collateral: Mapping[str, float],
    prices: Mapping[str, float],
    eth_low: float,
    growth: float,
    ruling: Ruling,
    policy: Policy,
    sleeve_share: float = 0.0,
) -> LoanDecision:
    """
    Borrow what the extra condors need, if they earn more than it costs and every limit holds with them (S44, D16).

    What is borrowed has no recourse to the margin account unless the policy allows it (S45).

    Parameters
    ----------
    cost : the loan's marginal effective annual rate, all parts included (D14)
    collateral : tokens that would be supplied, by code
    eth_low : worst change of ln ether in the two-sigma scenarios
    growth : factor by which interest grows the debt until the last of them
    sleeve_share : of net asset value; above its target the sleeve takes on nothing new (X05)
    """
    price = prices[market.asset]
    secured = stressed_health(collateral, market, 1.0, prices, eth_low, growth=growth)
    wanted = case.margin / (1.0 - float(policy.loop.ramp_fee))
    permitted = min(secured / policy.limits.health_factor_min, market.liquidity * price)
    asked = float(np.floor(min(wanted, ruling.leverage * permitted) / price))

    def health(debt: float) -> float:
        return stressed_health(collateral, market, debt * price, prices, eth_low, growth=growth)

    after = LoopReadings(
        project_return=case.project_return,
        marginal_cost=cost,
        health=health(asked),
        quick_ratio=case.quick_ratio,
        drawdown=case.drawdown,
        sleeve=sleeve_share,
        borrow_rate=market.borrow_rate,
    )
    reasons = (
        *(() if case.extra else ("no further condor fits the limits, so borrowed cash would earn nothing",)),
        *stops(after, _loop_limits(policy, ruling.sleeve_factor)),
        *filter(None, (unfit(market, policy),)),
        *((f"no leverage: {ruling.why}",) if ruling.leverage == 0.0 else ()),
    )
    debt = 0.0 if reasons else asked
    edge_bps = (case.project_return - cost) * 1e4
    return LoanDecision(market.name, market.asset, debt, case.project_return, cost, edge_bps, health(debt), reasons)


def _loop_limits(policy: Policy, factor: float) -> LoopLimits:
    """Where the policy stops the loop; above its scaled target the sleeve takes on nothing new (S51, X05)."""
    limits = policy.limits
    caps = SleeveCaps(float(limits.sleeve_target), float(limits.sleeve_cap))
    return LoopLimits(
        health_min=limits.health_factor_min,
        quick_ratio_min=limits.quick_ratio_min,
        drawdown_max=float(limits.drawdown_2sd),
        sleeve_max=sleeve_target(factor, SleeveRoom(), caps).share,
        borrow_rate_max=float(limits.borrow_rate_max),
    )


def eth_put(
    listings: Sequence[OptionListing],
    *,
    ether: float,
    spot: float,
    years_of: Mapping[str, float],
    shocks: Floats,
    reference: int,
    ratio: float,
) -> PutDecision | None:
    """
    The cheapest listed put that covers `ratio` of the sleeve's ether loss in the reference scenario (D10).

    Parameters
    ----------
    ether : tokens of ether exposure in the sleeve
    spot : USD per ether
    years_of : years to expiry by listing id
    shocks : change of ln ether per scenario; `reference` is the one that sizes
    """
    shock = float(shocks[reference])
    loss = ether * spot * (1.0 - float(np.exp(shock)))
    best: PutDecision | None = None
    for listing in listings:
        years = years_of[listing.listing]
        if loss <= 0 or years <= 0 or not 0.6 * spot <= listing.strike <= spot:
            continue
        now = float(forward_value(spot, listing.strike, years, listing.put_iv, sign=-1))
        then = float(forward_value(spot * np.exp(shock), listing.strike, years, listing.put_iv, sign=-1))
        if then <= now:
            continue
        quantity = min(float(np.ceil(100.0 * ratio * loss / (then - now)) / 100.0), ether)
        candidate = PutDecision(listing, quantity, now, quantity * (then - now))
        if best is None or _cost_per_cover(candidate) < _cost_per_cover(best):
            best = candidate
    return best


def _cost_per_cover(put: PutDecision) -> float:
    return put.unit_cost * put.quantity / put.covered_loss
