"""Prices that fall on a fork: in every lending oracle, on the options venue, and in the pools, together."""

from decimal import Decimal

from adapters.evm import deploy_lyra
from adapters.evm.aave import AaveMarket
from adapters.evm.abi import AbiEntry
from adapters.evm.chain import Reverted
from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token
from adapters.evm.feed_code import feed_code
from adapters.evm.shock import Effect, NotHereError, Shock, Stage, somebody
from adapters.evm.shock_pools import push
from adapters.evm.wire import ZERO_ADDRESS
from contracts_abi import load
from engine.orders import Address

HALF = 0.5
LOST_PEG = 0.88  # F45
_PAR = 0.95, 1.05


def ether_halved(stage: Stage) -> Shock:
    """Ether at half its price: lending oracles, the options venue's spot, and pools that arbitrage follows."""
    token = stage.tokens.get("WETH")
    if token is None:
        raise NotHereError("the desk lends no ether here")
    effects = fallen(stage, token, HALF)
    if stage.options is not None:
        effects.append(_spot(stage, effects[0].after))
    return Shock((*effects, *(push(stage, pool, token, HALF) for pool in stage.pools("WETH"))))


def peg_lost(stage: Stage) -> Shock:
    """The stablecoin that secures our loans at 0.88 USD, in every lending oracle and in the pools (faults F45)."""
    token = _stablecoin(stage)
    code = token.currency.code
    factor = LOST_PEG / stage.lending[0].prices()[code]
    effects = fallen(stage, token, factor)
    return Shock((*effects, *(push(stage, pool, token, factor) for pool in stage.pools(code))))


def fallen(stage: Stage, token: Token, factor: float) -> list[Effect]:
    """
    Set a token's price in every market's oracle to `factor` of what it is there.

    Through the feed an oracle reads (its code is replaced), else through the oracle's own fallback where that takes
    a price from anybody. Raises `NotHereError` where neither moves what the market then sees.
    """
    wanted = {}
    for market in stage.lending:  # all are read before any is moved: markets may share a feed
        price = int(_oracle(market).read(stage.fork.chain, "getAssetPrice", token.address))
        wanted[market.name] = price, int(price * factor)
    for market in stage.lending:
        _move(stage, market, token, wanted[market.name][1])
    effects = []
    for market in stage.lending:
        unit = int(_oracle(market).read(stage.fork.chain, "BASE_CURRENCY_UNIT"))
        before, after = (price / unit for price in wanted[market.name])
        effects.append(Effect(f"{token.currency} at {market.name}", before, after, f"USD per {token.currency}"))
    return effects


def _move(stage: Stage, market: AaveMarket, token: Token, answer: int) -> None:
    chain, oracle = stage.fork.chain, _oracle(market)
    source = oracle.read(chain, "getSourceOfAsset", token.address)
    if source != ZERO_ADDRESS:
        feed = Contract(source, [_DECIMALS])
        stage.fork.put_code(source, feed_code(answer, int(feed.read(chain, "decimals"))))
    else:
        _tell(stage, oracle.read(chain, "getFallbackOracle"), token, answer)
    if int(oracle.read(chain, "getAssetPrice", token.address)) != answer:
        raise NotHereError(f"{market.name} prices {token.currency} by a source that cannot be replaced here")


def _oracle(market: AaveMarket) -> Contract:
    return Contract(market.addresses.oracle, [*load("aave-v3-oracle"), _FALLBACK])


def _tell(stage: Stage, place: Address, token: Token, answer: int) -> None:
    try:
        if not stage.fork.chain.code(place):
            raise NotHereError(f"no feed and no test oracle prices {token.currency} here")
        stage.fork.call_as(somebody("pricer"), Contract(place, [_SET_PRICE]), "setAssetPrice", token.address, answer)
    except Reverted as refused:
        raise NotHereError(f"the oracle behind {token.currency} takes no price from us: {refused.reason}") from refused


def _spot(stage: Stage, usd: float) -> Effect:
    """Move the options venue's spot, and its greeks after it as a keeper does."""
    assert stage.options is not None
    if not stage.stands("lyra-rates"):
        raise NotHereError("the options venue takes its spot from an exchange that is no test exchange (lyra-rates)")
    adapter = Contract(stage.options.addresses.exchange, load("lyra-synthetix-adapter"))
    before = adapter.read(stage.fork.chain, "getSpotPriceForMarket", stage.options.addresses.market)
    deploy_lyra.set_spot(stage.fork.chain, dict(stage.book), Decimal(str(round(usd, 8))))
    after = adapter.read(stage.fork.chain, "getSpotPriceForMarket", stage.options.addresses.market)
    return Effect(f"ether at {stage.options.name}", before / 1e18, after / 1e18, "USD per ether")


def _stablecoin(stage: Stage) -> Token:
    """What secures the desk's loans, or else is borrowed, and stands near a dollar now."""
    for market in stage.lending:
        prices = market.prices()
        for token in (market.collateral, market.asset):
            if _PAR[0] <= prices[token.currency.code] <= _PAR[1]:
                return token
    raise NotHereError("the desk lends against no stablecoin that stands near par")


_FALLBACK: AbiEntry = {
    "type": "function",
    "name": "getFallbackOracle",
    "inputs": [],
    "outputs": [{"name": "", "type": "address"}],
}
_SET_PRICE: AbiEntry = {
    "type": "function",
    "name": "setAssetPrice",
    "inputs": [{"name": "asset", "type": "address"}, {"name": "price", "type": "uint256"}],
    "outputs": [],
}
_DECIMALS: AbiEntry = {
    "type": "function",
    "name": "decimals",
    "inputs": [],
    "outputs": [{"name": "", "type": "uint8"}],
}
