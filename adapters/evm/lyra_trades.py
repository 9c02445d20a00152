"""Lyra Avalon trades: what the pricer is asked before one, and what its event says after. No input, no output."""

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.evm.abi import AbiEntry
from adapters.evm.lyra_wire import OPEN, Market
from adapters.evm.wire import Found, change
from contracts_abi import load
from engine.instruments import VanillaOption
from engine.positions import Position


@dataclass(frozen=True, slots=True)
class Traded:
    """A trade as the market logged it: units and total cost positive, fee within the total."""

    ordinal: int
    position_id: int
    bought: bool
    units: int
    total: int
    fees: Mapping[str, int]

    @property
    def fee(self) -> int:
        """All fees, smallest units of the quote token."""
        return sum(self.fees.values())

    @property
    def premium(self) -> int:
        """Signed cash without fees: paid negative, received positive."""
        return self.fee - self.total if self.bought else self.total + self.fee

    def changes(self, market: Market, option: VanillaOption) -> tuple[Position, ...]:
        """Option one way, premium the other."""
        sign = 1 if self.bought else -1
        return change(option, sign * self.units), change(market.quote.cash, self.premium)


def traded(event: Found) -> Traded:
    """What a `Trade` event says, fees by kind. A fee larger than the premium is capped as the market caps it."""
    trade, results = event["trade"], event["tradeResults"]
    kinds = {
        "option_price": sum(r["optionPriceFee"] for r in results),
        "spot_price": sum(r["spotPriceFee"] for r in results),
        "vega_utilisation": sum(r["vegaUtilFee"]["vegaUtilFee"] for r in results),
        "variance": sum(r["varianceFee"]["varianceFee"] for r in results),
    }
    charged = sum(r["totalFee"] for r in results)
    if sum(kinds.values()) != charged:
        kinds = {"protocol": charged}
    bought = trade["tradeDirection"] == OPEN
    fees = {kind: units for kind, units in kinds.items() if units}
    return Traded(event.ordinal, event["positionId"], bought, trade["amount"], trade["totalCost"], fees)


def quote_entry() -> AbiEntry:
    """
    `OptionMarketPricer.updateCacheAndGetTradeResult`, put together from the interfaces we hold.

    Called read-only in the market's name it returns what the very same trade would cost now.
    """
    market = load("lyra-option-market")
    strike = _entry(market, "getStrike")["outputs"][0]
    result = next(part for part in _entry(market, "Trade")["inputs"] if part["name"] == "tradeResults")
    liquidity = _entry(load("lyra-liquidity-pool"), "getLiquidity")["outputs"][0]
    exchange = _entry(load("lyra-synthetix-adapter"), "getExchangeParams")["outputs"][0]
    plain = {"isBuy": "bool", "isForceClose": "bool", "tradeDirection": "uint8", "optionType": "uint8"}
    numbers = dict.fromkeys(("amount", "expiry", "strikePrice"), "uint256")
    trade = [{"name": name, "type": kind} for name, kind in (plain | numbers).items()]
    trade += [{**liquidity, "name": "liquidity"}, {**exchange, "name": "exchangeParams"}]
    return {
        "type": "function",
        "name": "updateCacheAndGetTradeResult",
        "inputs": [
            {**strike, "name": "strike"},
            {"name": "trade", "type": "tuple", "components": trade},
            {"name": "boardBaseIv", "type": "uint256"},
            {"name": "boardExpiry", "type": "uint256"},
        ],
        "outputs": [{**result, "type": "tuple", "name": "tradeResult"}],
    }


def _entry(abi: list[AbiEntry], name: str) -> AbiEntry:
    return next(entry for entry in abi if entry.get("name") == name)
