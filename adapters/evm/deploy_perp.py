"""
Perpetual Protocol v2 (Curie) with two markets: ether, and a volatility index (S26).

The world holds the contracts; `open_markets` starts trading at prices of the day, since an average price
needs the half hour before.
"""

from collections.abc import Mapping
from decimal import Decimal, localcontext
from math import isqrt

from eth_utils.crypto import keccak

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import ACCOUNTS, Builder, account, interface
from adapters.evm.deploy_tokens import mint
from adapters.evm.deploy_uniswap import CORE
from engine.orders import Address

CURIE, ORACLE = "perp-curie", "perp-oracle"
MARKETS = ("ETH", "VOL")
DEPTH_USD = Decimal(20_000_000)
COLLATERAL = 200_000_000 * 10**6
UNISWAP_FEE, EXCHANGE_FEE, INSURANCE_SHARE = 10_000, 1_000, 200_000
WIDE, TICKS_PER_BLOCK, OBSERVATIONS = 887_200, 1_000, 200
AVERAGING, STEP = 1_860, 16
FEED_DECIMALS, FEED_TIMEOUT, FEED_AVERAGE = 8, 2**40, 900
NEVER = 2**40
_NO_CAP, _ANY_AMOUNT = 10**18, 10**26
_DOWN = 0.953
_OPENED = (("erc20", ""), ("uniswap-v3-pool", "-pool"))
_PARTS = {"MarketRegistry": "perp-registry", "Exchange": "perp-exchange", "ClearingHouse": "perp-clearing-house"}


def deploy_perp(builder: Builder, book: dict[str, Address]) -> dict[str, Address]:
    """
    Clearing house, vault and what they need, with USDC as margin, and two markets not yet open.

    Named ``perp-clearing-house``, ``perp-vault``, ``perp-account-balance``, ``perp-exchange``,
    ``perp-registry``, ``perp-config``, ``perp-insurance`` and, per market, ``perp-ETH``, ``perp-ETH-feed``.
    """
    quote = _initialised(builder, "QuoteToken", "vUSD", "vUSD", by=_creator(builder.chain, highest=True))
    config = _initialised(builder, "ClearingHouseConfig")
    registry = _initialised(builder, "MarketRegistry", book["uniswap-factory"], quote.address)
    orders = _initialised(builder, "OrderBook", registry.address)
    balances = _initialised(builder, "AccountBalance", config.address, orders.address)
    exchange = _initialised(builder, "Exchange", registry.address, orders.address, config.address)
    insurance = _initialised(builder, "InsuranceFund", book["USDC"])
    vault = _initialised(builder, "Vault", insurance.address, config.address, balances.address, exchange.address)
    first, rest = (config, vault, quote), (exchange, balances, insurance)
    house = _initialised(
        builder,
        "ClearingHouse",
        *(part.address for part in first),
        book["uniswap-factory"],
        *(part.address for part in rest),
    )
    for part in (registry, orders, balances, exchange, vault):
        builder.send(part, "setClearingHouse", house.address)
    builder.send(orders, "setExchange", exchange.address)
    builder.send(exchange, "setAccountBalance", balances.address)
    builder.send(balances, "setVault", vault.address)
    builder.send(insurance, "setVault", vault.address)
    builder.send(config, "setSettlementTokenBalanceCap", _NO_CAP)
    builder.send(quote, "mintMaximumTo", house.address)
    builder.send(quote, "addWhitelist", house.address)
    made = {
        "perp-clearing-house": house.address,
        "perp-vault": vault.address,
        "perp-account-balance": balances.address,
        "perp-exchange": exchange.address,
        "perp-registry": registry.address,
        "perp-quote": quote.address,
    }
    for market in MARKETS:
        made |= _market(builder, {**book, **made}, market)
    return made


def open_markets(chain: Chain, book: dict[str, Address], prices: Mapping[str, Decimal]) -> None:
    """
    Start markets of the world (``ETH``, ``VOL``) at prices in USD, with 20M a side of liquidity each.

    Takes half an hour of chain time: a market has no average price before.
    """
    for market, price in prices.items():
        _start(chain, book, market, price)
    chain.warp(chain.block().timestamp + AVERAGING)
    maker = Builder(chain, account(9))
    mint(chain, book, "USDC", maker.address, COLLATERAL)
    vault, house = interface("perp-vault", book["perp-vault"]), _owned(maker, book, "ClearingHouse")
    maker.send(interface("erc20", book["USDC"]), "approve", vault.address, COLLATERAL)
    maker.send(vault, "deposit", book["USDC"], COLLATERAL)
    for market, price in prices.items():
        depth = int(DEPTH_USD / price * 10**18), int(DEPTH_USD * 10**18)
        maker.send(house, "addLiquidity", (book[f"perp-{market}"], *depth, -WIDE, WIDE, 0, 0, False, NEVER))


def move_market(chain: Chain, book: dict[str, Address], market: str, price: Decimal) -> None:
    """
    Set a market's index to `price` and trade its pool there, as an arbitrageur would (test account 9).

    The exchange lets a price move by a tenth at a time: each step beyond takes 16 seconds of chain time.
    """
    arbitrageur = Builder(chain, account(9))
    base, pool = (interface(kind, book[f"perp-{market}{part}"]) for kind, part in _OPENED)
    house, target = _owned(arbitrageur, book, "ClearingHouse"), root_x96(price)
    set_index(chain, book, market, price)
    while (now := int(pool.read(chain, "slot0")["sqrtPriceX96"])) != target:
        sells = target < now
        step = max(target, int(now * _DOWN)) if sells else min(target, int(now / _DOWN))
        terms = (base.address, sells, True, _ANY_AMOUNT, 0, NEVER, step, b"")
        chain.warp(chain.block().timestamp + STEP)
        arbitrageur.send(house, "openPosition", terms)


def _start(chain: Chain, book: dict[str, Address], market: str, price: Decimal) -> None:
    owner = Builder(chain)
    base, pool = (interface(kind, book[f"perp-{market}{part}"]) for kind, part in _OPENED)
    set_index(chain, book, market, price)
    whole = owner.at(CORE, "UniswapV3Pool", pool.address)
    owner.send(whole, "initialize", root_x96(price))
    owner.send(whole, "increaseObservationCardinalityNext", OBSERVATIONS)
    registry, exchange = _owned(owner, book, "MarketRegistry"), _owned(owner, book, "Exchange")
    owner.send(registry, "addPool", base.address, UNISWAP_FEE)
    owner.send(registry, "setFeeRatio", base.address, EXCHANGE_FEE)
    owner.send(registry, "setInsuranceFundFeeRatio", base.address, INSURANCE_SHARE)
    owner.send(exchange, "setMaxTickCrossedWithinBlock", base.address, TICKS_PER_BLOCK)


def set_index(chain: Chain, book: dict[str, Address], market: str, price: Decimal) -> None:
    """Set a market's index alone; its mark stays where it is, and funding flows."""
    owner = Builder(chain)
    feed = owner.at("lyra-avalon", "MockAggregatorV2V3", book[f"perp-{market}-feed"])
    owner.send(feed, "setLatestAnswer", int(price * 10**FEED_DECIMALS), chain.block().timestamp)


def root_x96(price: Decimal) -> int:
    """The pool's `sqrtPriceX96` at a price: base and quote both have 18 decimals, base is token0."""
    with localcontext(prec=60):
        return isqrt(int(price * 2**192))


def _market(builder: Builder, book: dict[str, Address], market: str) -> dict[str, Address]:
    feed = builder.create("lyra-avalon", "MockAggregatorV2V3")
    builder.send(feed, "setDecimals", FEED_DECIMALS)
    chainlink = builder.create(ORACLE, "ChainlinkPriceFeedV3", feed.address, FEED_TIMEOUT, FEED_AVERAGE)
    dispatcher = builder.create(ORACLE, "PriceFeedDispatcher", chainlink.address)
    symbol, by = f"v{market}", _creator(builder.chain, highest=False)
    base = _initialised(builder, "BaseToken", symbol, symbol, dispatcher.address, by=by)
    house, quote = book["perp-clearing-house"], builder.at(CURIE, "QuoteToken", book["perp-quote"])
    factory = builder.at(CORE, "UniswapV3Factory", book["uniswap-factory"])
    builder.send(factory, "createPool", base.address, quote.address, UNISWAP_FEE)
    pool = factory.read(builder.chain, "getPool", base.address, quote.address, UNISWAP_FEE)
    builder.send(base, "mintMaximumTo", house)
    for token, holder in ((base, house), (base, pool), (quote, pool)):
        builder.send(token, "addWhitelist", holder)
    return {f"perp-{market}": base.address, f"perp-{market}-pool": pool, f"perp-{market}-feed": feed.address}


def _owned(builder: Builder, book: dict[str, Address], name: str) -> Contract:
    return builder.at(CURIE, name, book[_PARTS[name]])


def _initialised(builder: Builder, name: str, *arguments: object, by: Builder | None = None) -> Contract:
    """A contract whose owner is `builder`, whoever created it."""
    made = (by or builder).create(CURIE, name)
    builder.send(made, "initialize", *arguments)
    return made


def _creator(chain: Chain, *, highest: bool) -> Builder:
    """The test account whose next contract has the highest (or lowest) address: quote sorts above base."""
    builders = [Builder(chain, account(index)) for index in range(ACCOUNTS)]
    ranked = sorted(builders, key=lambda each: _next_contract(each.address, chain.nonce(each.address)))
    return ranked[-1 if highest else 0]


def _next_contract(sender: Address, nonce: int) -> bytes:
    """Address of a sender's next contract: the hash of the RLP list of both."""
    raw = nonce.to_bytes((nonce.bit_length() + 7) // 8)
    number = raw if len(raw) == 1 and raw[0] < 0x80 else bytes([0x80 + len(raw)]) + raw
    content = b"\x94" + bytes.fromhex(sender[2:]) + number
    return bytes(keccak(bytes([0xC0 + len(content)]) + content))[12:]
