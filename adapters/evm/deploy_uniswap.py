"""Uniswap v3 with three deep pools, and the trade that moves the WETH pool to a given price."""

from decimal import Decimal, localcontext
from math import isqrt

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import ZERO, Builder, account, interface
from adapters.evm.deploy_tokens import DECIMALS, mint
from contracts_abi import load
from engine.orders import Address

CORE, PERIPHERY, ROUTER = "uniswap-v3-core", "uniswap-v3-periphery", "uniswap-swap-router"
STABLE_FEE, WETH_FEE = 100, 500
STABLE_DEPTH = Decimal(100_000_000)
WETH_DEPTH = Decimal(200_000)
STABLE_BAND_TICKS = 500
NEVER = 2**40
FOREVER = 2**256 - 1


def deploy_uniswap(builder: Builder, book: dict[str, Address], *, eth_usd: Decimal) -> dict[str, Address]:
    """
    Factory, router, position manager, quoter and the pools USDC/sUSD, USDC/DAI (1 bp) and WETH/USDC (5 bp).

    Pools are named ``pool-USDC-sUSD``, ``pool-USDC-DAI`` and ``pool-WETH-USDC``; test account 9 owns the
    liquidity. Stable pools hold 100M of each within 5 % of par; the WETH pool is spread over all prices.
    """
    factory = builder.create(CORE, "UniswapV3Factory")
    builder.send(factory, "enableFeeAmount", STABLE_FEE, 1)
    manager = builder.create(PERIPHERY, "NonfungiblePositionManager", factory.address, book["WETH"], ZERO)
    router = builder.create(ROUTER, "SwapRouter02", ZERO, factory.address, manager.address, book["WETH"])
    quoter = builder.create(
        PERIPHERY, "artifacts/contracts/lens/QuoterV2.sol/QuoterV2.json", factory.address, book["WETH"]
    )
    made = {
        "uniswap-factory": factory.address,
        "uniswap-router": router.address,
        "uniswap-position-manager": manager.address,
        "uniswap-quoter": quoter.address,
    }
    everything = {**book, **made}
    provider = Builder(builder.chain, account(9), builder.cache)
    for symbol in ("USDC", "DAI", "sUSD", "WETH"):
        mint(builder.chain, book, symbol, provider.address, 10**9 * 10 ** DECIMALS[symbol])
        token = interface("erc20", book[symbol])
        for spender in (manager, router):
            provider.send(token, "approve", spender.address, FOREVER)
    one = Decimal(1)
    made["pool-USDC-sUSD"] = _pool(provider, everything, "USDC", "sUSD", one, STABLE_DEPTH)
    made["pool-USDC-DAI"] = _pool(provider, everything, "USDC", "DAI", one, STABLE_DEPTH)
    made["pool-WETH-USDC"] = _pool(provider, everything, "WETH", "USDC", eth_usd, WETH_DEPTH)
    pool = Contract(made["pool-WETH-USDC"], load("uniswap-v3-pool"))
    grow = builder.at(CORE, "UniswapV3Pool", pool.address)
    builder.send(grow, "increaseObservationCardinalityNext", 64)
    return made


def move_weth_price(chain: Chain, book: dict[str, Address], eth_usd: Decimal) -> None:
    """Trade the WETH/USDC pool until its price is `eth_usd`, as an arbitrageur would (test account 9)."""
    pool = interface("uniswap-v3-pool", book["pool-WETH-USDC"])
    target = sqrt_price(book, "WETH", "USDC", eth_usd)
    now = int(pool.read(chain, "slot0")["sqrtPriceX96"])
    if now == target:
        return
    token0, token1 = sorted((book["WETH"], book["USDC"]), key=str.lower)
    sold, bought = (token0, token1) if target < now else (token1, token0)
    trade = {
        "tokenIn": sold,
        "tokenOut": bought,
        "fee": WETH_FEE,
        "recipient": account(9).address,
        "amountIn": 10**8 * 10 ** (18 if sold == book["WETH"] else 6),
        "amountOutMinimum": 0,
        "sqrtPriceLimitX96": target,
    }
    router = interface("uniswap-swap-router-02", book["uniswap-router"])
    Builder(chain, account(9)).send(router, "exactInputSingle", trade)


def sqrt_price(book: dict[str, Address], base: str, quote: str, price: Decimal) -> int:
    """The pool's `sqrtPriceX96` at which one `base` costs `price` of `quote`."""
    with localcontext(prec=60):
        ratio = price * Decimal(10) ** (DECIMALS[quote] - DECIMALS[base])
        if book[base].lower() > book[quote].lower():
            ratio = 1 / ratio
        return isqrt(int(ratio * 2**192))


def _pool(
    provider: Builder, book: dict[str, Address], base: str, quote: str, price: Decimal, depth: Decimal
) -> Address:
    token0, token1 = sorted((base, quote), key=lambda symbol: book[symbol].lower())
    start = sqrt_price(book, base, quote, price)
    stable = price == 1
    fee = STABLE_FEE if stable else WETH_FEE
    middle = _tick(start)
    low, high = (middle - STABLE_BAND_TICKS, middle + STABLE_BAND_TICKS) if stable else (-887_270, 887_270)
    wanted = {base: depth, quote: depth * price}
    amounts = [int(wanted[symbol] * 10 ** DECIMALS[symbol]) for symbol in (token0, token1)]
    manager = interface("uniswap-position-manager", book["uniswap-position-manager"])
    terms = {"token0": book[token0], "token1": book[token1], "fee": fee}
    provider.send(manager, "createAndInitializePoolIfNecessary", *terms.values(), start)
    position = {
        **terms,
        "tickLower": low,
        "tickUpper": high,
        "amount0Desired": amounts[0],
        "amount1Desired": amounts[1],
        "amount0Min": 0,
        "amount1Min": 0,
        "recipient": provider.address,
        "deadline": NEVER,
    }
    provider.send(manager, "mint", position)
    factory = interface("uniswap-v3-factory", book["uniswap-factory"])
    return Address(factory.read(provider.chain, "getPool", *terms.values()))


def _tick(sqrt_price_x96: int) -> int:
    with localcontext(prec=40):
        return int((Decimal(sqrt_price_x96) / 2**96).ln() * 2 / Decimal("1.0001").ln())
