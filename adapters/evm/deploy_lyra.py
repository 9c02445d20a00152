"""
Lyra's Avalon options AMM on ETH, with Synthetix's test exchange as its source of spot.

Quote asset is sUSD (18 decimals; Avalon knows no other), base asset sETH. The numbers below are our
local market's terms, wider than the live ones were in strike range and depth, so that far put wings
can be bought in size.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import ZERO, Builder, account, interface
from adapters.evm.deploy_tokens import mint
from engine.orders import Address

PACKAGE = "lyra-avalon"
POOL_SUSD = 50_000_000 * 10**18
SECURITY_MODULE = Address("0x" + "efee" * 10)
HOUR, DAY, WEEK = 3_600, 86_400, 7 * 86_400
FOREVER = 2**256 - 1


def wad(number: Decimal | str | int) -> int:
    """A number with 18 decimals, as Lyra writes them."""
    return int(Decimal(number) * 10**18)


def key(text: str) -> bytes:
    """Text as `bytes32`, as Synthetix names currencies and contracts."""
    return text.encode().ljust(32, b"\0")


LIQUIDITY_POOL_TERMS: dict[str, object] = {
    "minDepositWithdraw": wad(1),
    "depositDelay": WEEK,
    "withdrawalDelay": WEEK,
    "withdrawalFee": wad("0.01"),
    "guardianMultisig": ZERO,
    "guardianDelay": 2 * WEEK,
    "boardSettlementCBTimeout": 6 * HOUR,
    "liquidityCBThreshold": wad("0.01"),
    "liquidityCBTimeout": 3 * DAY,
    "ivVarianceCBThreshold": wad("0.1"),
    "skewVarianceCBThreshold": wad("0.35"),
    "ivVarianceCBTimeout": 12 * HOUR,
    "skewVarianceCBTimeout": 12 * HOUR,
    "maxFeePaid": wad("0.01"),
}
GREEK_CACHE_TERMS: dict[str, object] = {
    "maxStrikesPerBoard": 30,
    "acceptableSpotPricePercentMove": wad("0.05"),
    "staleUpdateDuration": 3 * HOUR,
    "varianceIvGWAVPeriod": DAY,
    "varianceSkewGWAVPeriod": 3 * DAY,
    "optionValueIvGWAVPeriod": DAY,
    "optionValueSkewGWAVPeriod": 3 * DAY,
    "gwavSkewFloor": wad("0.3"),
    "gwavSkewCap": wad("3"),
    "rateAndCarry": wad("0.05"),
}
MIN_COLLATERAL_TERMS: dict[str, object] = {
    "minStaticBaseCollateral": wad("0.2"),
    "minStaticQuoteCollateral": wad(200),
    "shockVolA": wad("2.5"),
    "shockVolPointA": 2 * WEEK,
    "shockVolB": wad("1.8"),
    "shockVolPointB": 8 * WEEK,
    "callSpotPriceShock": wad("1.2"),
    "putSpotPriceShock": wad("0.8"),
}
FORCE_CLOSE_TERMS: dict[str, object] = {
    "ivGWAVPeriod": 12 * HOUR,
    "skewGWAVPeriod": DAY,
    "shortVolShock": wad("1.2"),
    "shortPostCutoffVolShock": wad("1.4"),
    "longVolShock": wad("0.8"),
    "longPostCutoffVolShock": wad("0.5"),
    "liquidateVolShock": wad("1.3"),
    "liquidatePostCutoffVolShock": wad("1.6"),
    "shortSpotMin": wad("0.01"),
    "liquidateSpotMin": wad("0.02"),
}
PRICING_TERMS: dict[str, object] = {
    "optionPriceFeeCoefficient": wad("0.01"),
    "optionPriceFee1xPoint": 6 * WEEK,
    "optionPriceFee2xPoint": 16 * WEEK,
    "spotPriceFeeCoefficient": wad("0.001"),
    "spotPriceFee1xPoint": 6 * WEEK,
    "spotPriceFee2xPoint": 12 * WEEK,
    "vegaFeeCoefficient": wad(100),
    "standardSize": wad(100),  # one vol point per 100 options traded
    "skewAdjustmentFactor": wad("0.75"),
}
TRADE_LIMIT_TERMS: dict[str, object] = {
    "minDelta": wad("0.001"),
    "minForceCloseDelta": wad("0.002"),
    "tradingCutoff": DAY // 2,
    "minBaseIV": wad("0.15"),
    "maxBaseIV": wad(4),
    "minSkew": wad("0.3"),
    "maxSkew": wad(3),
    "minVol": wad("0.2"),
    "maxVol": wad(5),
    "absMinSkew": wad("0.1"),
    "absMaxSkew": wad(5),
    "capSkewsToAbs": False,
}
VARIANCE_FEE_TERMS: dict[str, object] = {
    "defaultVarianceFeeCoefficient": wad("0.25"),
    "forceCloseVarianceFeeCoefficient": wad("0.25"),
    "skewAdjustmentCoefficient": wad(3),
    "referenceSkew": wad(1),
    "minimumStaticSkewAdjustment": wad(1),
    "vegaCoefficient": wad("0.01"),
    "minimumStaticVega": 0,
    "ivVarianceCoefficient": wad("1.5"),
    "minimumStaticIvVariance": wad(1),
}
PARTIAL_COLLATERAL_TERMS: dict[str, object] = {
    "penaltyRatio": wad("0.2"),
    "liquidatorFeeRatio": wad("0.4"),
    "smFeeRatio": wad("0.3"),
    "minLiquidationFee": wad(15),
}
MARKET_TERMS: dict[str, object] = {
    "maxBoardExpiry": 400 * DAY,
    "securityModule": SECURITY_MODULE,
    "feePortionReserved": wad("0.1"),
    "staticBaseSettlementFee": wad("0.0075"),
}
HEDGER_TERMS: dict[str, object] = {"interactionDelay": DAY, "hedgeCap": FOREVER}


def deploy_lyra(builder: Builder, book: dict[str, Address], *, eth_usd: Decimal) -> dict[str, Address]:
    """
    The whole market with an empty board list and 50M sUSD in its pool (liquidity of test account 9).

    Names: ``lyra-market``, ``-pricer``, ``-greek-cache``, ``-pool``, ``-option-token``,
    ``-short-collateral``, ``-pool-hedger``, ``-synthetix-adapter``, ``-viewer``, ``-rates`` and the rest.
    """
    create = builder.create
    libraries = {name: create(PACKAGE, name) for name in ("GWAV", "BlackScholes")}
    parts = {
        "lyra-synthetix-adapter": create(PACKAGE, "SynthetixAdapter"),
        "lyra-viewer": create(PACKAGE, "OptionMarketViewer"),
        "lyra-market": create(PACKAGE, "OptionMarket"),
        "lyra-pricer": create(PACKAGE, "OptionMarketPricer"),
        "lyra-greek-cache": create(PACKAGE, "OptionGreekCache", libraries=libraries),
        "lyra-pool": create(PACKAGE, "LiquidityPool"),
        "lyra-pool-token": create(PACKAGE, "LiquidityToken", "sUSD/sETH Pool Tokens", "LyraELPT"),
        "lyra-option-token": create(PACKAGE, "OptionToken", "sUSD/sETH Option Tokens", "LyraEOT"),
        "lyra-short-collateral": create(PACKAGE, "ShortCollateral"),
        "lyra-pool-hedger": create(PACKAGE, "ShortPoolHedger"),
        "lyra-gwav-oracle": create(PACKAGE, "GWAVOracle", libraries=libraries),
    }
    made = {name: part.address for name, part in parts.items()}
    made |= _synthetix(builder, {**book, **made}, parts["lyra-synthetix-adapter"], eth_usd)
    _wire(builder, book, parts)
    _set_terms(builder, parts)
    _fund(builder, book, parts)
    return made


def set_spot(chain: Chain, book: dict[str, Address], eth_usd: Decimal) -> None:
    """Set ETH on the test exchange, and have every live board's cached greeks follow, as a keeper does."""
    builder = Builder(chain)
    rates = Contract(book["lyra-rates"], [_SET_RATE])
    builder.send(rates, "setRateAndInvalid", key("sETH"), wad(eth_usd), False)
    cache = interface("lyra-greek-cache", book["lyra-greek-cache"])
    for board in live_boards(chain, book):
        if board["expiry"] > chain.block().timestamp:
            builder.send(cache, "updateBoardCachedGreeks", board["id"])


def list_board(
    chain: Chain,
    book: dict[str, Address],
    expiry: datetime,
    strikes: Sequence[Decimal],
    *,
    base_iv: Decimal,
    skews: Sequence[Decimal] | None = None,
) -> int:
    """
    List a board and return its id.

    `strikes` in USD; a strike's volatility is `base_iv` times its skew (1 each if None).
    """
    ratios = list(skews) if skews is not None else [Decimal(1)] * len(strikes)
    market = Contract(book["lyra-market"], [_CREATE_BOARD])
    logs = Builder(chain).send(
        market,
        "createOptionBoard",
        int(expiry.timestamp()),
        wad(base_iv),
        [wad(strike) for strike in strikes],
        [wad(ratio) for ratio in ratios],
        False,
    )
    created = interface("lyra-option-market", market.address).events("BoardCreated", logs)
    return int(created[0]["boardId"])


def live_boards(chain: Chain, book: dict[str, Address]) -> list[dict[str, int]]:
    """Boards not yet settled, expired ones included: `id`, `expiry` (seconds since 1970), `iv` (18 decimals)."""
    market = interface("lyra-option-market", book["lyra-market"])
    found = [market.read(chain, "getOptionBoard", board) for board in market.read(chain, "getLiveBoards")]
    return [{"id": board["id"], "expiry": board["expiry"], "iv": board["iv"]} for board in found]


def settle_boards(chain: Chain, book: dict[str, Address]) -> list[int]:
    """
    Settle every board whose expiry has passed, at the spot set last, and return their ids.

    Set the settlement price with `set_spot` first. Positions are paid by
    ``ShortCollateral.settleOptions``, which anybody may call.
    """
    builder, now = Builder(chain), chain.block().timestamp
    market = interface("lyra-option-market", book["lyra-market"])
    expired = [board["id"] for board in live_boards(chain, book) if board["expiry"] <= now]
    for board in expired:
        builder.send(market, "settleExpiredBoard", board)
    return expired


def _synthetix(builder: Builder, book: dict[str, Address], adapter: Contract, eth_usd: Decimal) -> dict[str, Address]:
    create, send = builder.create, builder.send
    exchanger = create(PACKAGE, "TestExchanger")
    rates = create(PACKAGE, "TestExchangeRates")
    synthetix = create(PACKAGE, "TestSynthetixReturnZero")
    approvals = create(PACKAGE, "TestDelegateApprovals")
    shorts = create(PACKAGE, "TestCollateralShort")
    resolver = create(PACKAGE, "TestAddressResolver")
    quote, base = (builder.at(PACKAGE, "TestERC20Fail", book[symbol]) for symbol in ("sUSD", "sETH"))
    send(synthetix, "init", adapter.address, quote.address, resolver.address)
    send(shorts, "init", adapter.address, quote.address)
    named = {
        "ProxySynthetix": synthetix,
        "Exchanger": exchanger,
        "ExchangeRates": rates,
        "CollateralShort": shorts,
        "DelegateApprovals": approvals,
    }
    send(resolver, "setAddresses", [key(name) for name in named], [part.address for part in named.values()])
    for token in (quote, base):
        for minter in (synthetix, shorts):
            send(token, "permitMint", minter.address, True)
    for venue in (synthetix, shorts):
        send(venue, "addBaseAsset", key("sETH"), base.address, book["lyra-market"])
    send(exchanger, "setFeeRateForExchange", key("sETH"), key("sUSD"), wad("0.0075"))
    send(exchanger, "setFeeRateForExchange", key("sUSD"), key("sETH"), wad("0.005"))
    send(rates, "setRateAndInvalid", key("sETH"), wad(eth_usd), False)
    send(adapter, "initialize")
    send(adapter, "setAddressResolver", resolver.address)
    send(adapter, "updateSynthetixAddresses")
    send(
        adapter,
        "setGlobalsForContract",
        book["lyra-market"],
        key("sUSD"),
        key("sETH"),
        SECURITY_MODULE,
        key(""),
    )
    return {"lyra-rates": rates.address, "lyra-synthetix": synthetix.address}


def _wire(builder: Builder, book: dict[str, Address], parts: dict[str, Contract]) -> None:
    at = {name.removeprefix("lyra-"): part.address for name, part in parts.items()}
    quote, base, adapter, market = book["sUSD"], book["sETH"], at["synthetix-adapter"], at["market"]
    cache, pool, shorts, token = at["greek-cache"], at["pool"], at["short-collateral"], at["option-token"]
    arguments: dict[str, tuple[str, ...]] = {
        "lyra-market": (adapter, pool, at["pricer"], cache, shorts, token, quote, base),
        "lyra-pricer": (market, cache),
        "lyra-greek-cache": (adapter, market, at["pricer"]),
        "lyra-pool": (adapter, market, at["pool-token"], cache, at["pool-hedger"], shorts, quote, base),
        "lyra-pool-token": (pool,),
        "lyra-pool-hedger": (adapter, market, cache, pool, quote, base),
        "lyra-short-collateral": (market, pool, token, adapter, quote, base),
        "lyra-option-token": (market, cache, shorts, adapter),
        "lyra-gwav-oracle": (market, cache, adapter),
        "lyra-viewer": (adapter,),
    }
    for name, addresses in arguments.items():
        builder.send(parts[name], "init", *addresses)
    listed = {
        "liquidityPool": pool,
        "liquidityToken": at["pool-token"],
        "greekCache": cache,
        "optionMarket": market,
        "optionMarketPricer": at["pricer"],
        "optionToken": token,
        "poolHedger": at["pool-hedger"],
        "shortCollateral": shorts,
        "quoteAsset": quote,
        "baseAsset": base,
    }
    builder.send(parts["lyra-viewer"], "addMarket", listed)


def _set_terms(builder: Builder, parts: dict[str, Contract]) -> None:
    for name, function, terms in (
        ("lyra-market", "setOptionMarketParams", MARKET_TERMS),
        ("lyra-pool", "setLiquidityPoolParameters", LIQUIDITY_POOL_TERMS),
        ("lyra-pool-hedger", "setPoolHedgerParams", HEDGER_TERMS),
        ("lyra-greek-cache", "setGreekCacheParameters", GREEK_CACHE_TERMS),
        ("lyra-greek-cache", "setMinCollateralParameters", MIN_COLLATERAL_TERMS),
        ("lyra-greek-cache", "setForceCloseParameters", FORCE_CLOSE_TERMS),
        ("lyra-pricer", "setPricingParams", PRICING_TERMS),
        ("lyra-pricer", "setTradeLimitParams", TRADE_LIMIT_TERMS),
        ("lyra-pricer", "setVarianceFeeParams", VARIANCE_FEE_TERMS),
        ("lyra-option-token", "setPartialCollateralParams", PARTIAL_COLLATERAL_TERMS),
    ):
        builder.send(parts[name], function, terms)
    builder.send(parts["lyra-pool-hedger"], "setShortBuffer", wad(2))


def _fund(builder: Builder, book: dict[str, Address], parts: dict[str, Contract]) -> None:
    lender = Builder(builder.chain, account(9), builder.cache)
    pool = parts["lyra-pool"]
    mint(builder.chain, book, "sUSD", lender.address, POOL_SUSD)
    lender.send(interface("erc20", book["sUSD"]), "approve", pool.address, POOL_SUSD)
    lender.send(pool, "initiateDeposit", lender.address, POOL_SUSD)
    builder.send(parts["lyra-pool-hedger"], "openShortAccount")


_SET_RATE = {
    "type": "function",
    "name": "setRateAndInvalid",
    "inputs": [
        {"name": "currencyKey", "type": "bytes32"},
        {"name": "rate", "type": "uint256"},
        {"name": "invalid", "type": "bool"},
    ],
    "outputs": [],
}
_CREATE_BOARD = {
    "type": "function",
    "name": "createOptionBoard",
    "inputs": [
        {"name": "expiry", "type": "uint256"},
        {"name": "baseIV", "type": "uint256"},
        {"name": "strikePrices", "type": "uint256[]"},
        {"name": "skews", "type": "uint256[]"},
        {"name": "frozen", "type": "bool"},
    ],
    "outputs": [{"name": "boardId", "type": "uint256"}],
}
