"""Which tail hedges could be bought: index puts of the condor's expiry, and VIX calls where listed."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from engine.instruments import Right, Settlement, VanillaOption
from engine.market import ExpiryQuotes
from engine.policy.condors import option
from engine.policy.settings import HedgeSettings
from engine.risk.smile import Smile

_VIX_MULTIPLIER = Decimal(100)
_MOST = 10


@dataclass(frozen=True, slots=True)
class HedgeOffer:
    """An option that could be bought now: `ask` and `mid` in points per contract."""

    option: VanillaOption
    ask: float
    mid: float

    @property
    def id(self) -> str:
        return self.option.id


def put_offers(quotes: ExpiryQuotes, smile: Smile, rules: HedgeSettings) -> Iterator[HedgeOffer]:
    """Puts with a two-sided market whose strike lies in the policy's band of the forward."""
    moneyness = quotes.strikes / smile.forward
    listed = (
        (moneyness >= rules.put_moneyness_min)
        & (moneyness <= rules.put_moneyness_max)
        & (quotes.put_bid > 0)
        & (quotes.put_ask > quotes.put_bid)
    )
    for at in _spread_out(np.flatnonzero(listed)):
        contract = option(quotes, float(quotes.strikes[at]), Right.PUT)
        yield HedgeOffer(contract, float(quotes.put_ask[at]), 0.5 * float(quotes.put_bid[at] + quotes.put_ask[at]))


def vix_call_offers(quotes: ExpiryQuotes, smile: Smile) -> Iterator[HedgeOffer]:
    """VIX calls with a two-sided market from the same-expiry future up to twice its level (S19)."""
    listed = (
        (quotes.strikes >= smile.forward)
        & (quotes.strikes <= 2.0 * smile.forward)
        & (quotes.call_bid > 0)
        & (quotes.call_ask > quotes.call_bid)
    )
    for at in _spread_out(np.flatnonzero(listed)):
        contract = VanillaOption(
            root=quotes.root,
            underlying="VIX",
            expiry=quotes.expiry,
            strike=Decimal(str(float(quotes.strikes[at]))),
            right=Right.CALL,
            multiplier=_VIX_MULTIPLIER,
            settlement=Settlement.AM,
        )
        yield HedgeOffer(contract, float(quotes.call_ask[at]), 0.5 * float(quotes.call_bid[at] + quotes.call_ask[at]))


def _spread_out(positions: np.ndarray) -> list[int]:
    if len(positions) <= _MOST:
        return [int(at) for at in positions]
    picks = np.unique(np.linspace(0, len(positions) - 1, _MOST).round().astype(int))
    return [int(at) for at in positions[picks]]
