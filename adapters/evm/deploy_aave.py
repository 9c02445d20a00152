"""
Two separate Aave v3 markets that lend the same assets at different rates.

`aave-cheap` lends at about 4.5 % a year (compounded) and `aave-dear` at about 15 % once `seed_loans`
has lent out half of every reserve. Prices are set by `set_price`; USD with 8 decimals.
"""

from dataclasses import dataclass
from decimal import Decimal

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import ZERO, Builder, account, interface
from adapters.evm.deploy_tokens import DECIMALS, mint
from engine.orders import Address

PACKAGE = "aave-v3-core"
RAY = Decimal(10) ** 27
VARIABLE_RATE = 2
SEEDED_USD = 20_000_000


@dataclass(frozen=True, slots=True)
class RateCurve:
    """A two-slope rate model; rates are APR, decimal per year, `kink` a share of the reserve lent out."""

    kink: Decimal
    base: Decimal
    slope1: Decimal
    slope2: Decimal


@dataclass(frozen=True, slots=True)
class Collateral:
    """Loan-to-value and liquidation threshold in basis points; both 0 where it is no collateral."""

    ltv: int
    threshold: int


MARKETS = {
    # APR at half lent: 0.5 % + 7.0 % * 0.5 / 0.9 = 4.39 %, compounded 4.49 %
    "aave-cheap": RateCurve(Decimal("0.90"), Decimal("0.005"), Decimal("0.07"), Decimal("0.60")),
    # 3 % + 17.6 % * 0.5 / 0.8 = 14.0 %, compounded 15.03 %
    "aave-dear": RateCurve(Decimal("0.80"), Decimal("0.03"), Decimal("0.176"), Decimal("1.00")),
}
RESERVES = {
    "USDC": Collateral(7_500, 8_000),
    "DAI": Collateral(7_500, 7_800),
    "WETH": Collateral(8_000, 8_250),
    "sUSD": Collateral(0, 0),
}
LIBRARIES = ("SupplyLogic", "BorrowLogic", "LiquidationLogic", "EModeLogic", "BridgeLogic", "PoolLogic")


def deploy_aave(builder: Builder, book: dict[str, Address], *, eth_usd: Decimal) -> dict[str, Address]:
    """
    Both markets. For each: ``aave-cheap-pool``, ``-oracle``, ``-prices``, ``-data-provider``, ``-provider``.

    Each of the reserves USDC, DAI, WETH, sUSD can be borrowed; all but sUSD are collateral.
    """
    libraries = {name: builder.create(PACKAGE, name) for name in LIBRARIES}
    libraries["FlashLoanLogic"] = builder.create(PACKAGE, "FlashLoanLogic", libraries=libraries)
    libraries["ConfiguratorLogic"] = builder.create(PACKAGE, "ConfiguratorLogic")
    made: dict[str, Address] = {}
    for name, curve in MARKETS.items():
        made |= _market(builder, book, name, curve, libraries, eth_usd)
    return made


def set_price(chain: Chain, book: dict[str, Address], symbol: str, usd: Decimal) -> None:
    """Set the price of `symbol` in both markets' oracles."""
    for name in MARKETS:
        prices = Contract(book[f"{name}-prices"], [_SET_PRICE])
        Builder(chain).send(prices, "setAssetPrice", book[symbol], int(usd * 10**8))


def seed_loans(chain: Chain, book: dict[str, Address], *, eth_usd: Decimal) -> None:
    """
    Supply every reserve of both markets with 20M USD and lend half of it out, as test account 9.

    Done after the chain's clock has been set: interest accrues from the moment something is lent.
    """
    lender = Builder(chain, account(9))
    for name in MARKETS:
        pool = interface("aave-v3-pool", book[f"{name}-pool"])
        units = {
            symbol: int(SEEDED_USD / (eth_usd if symbol == "WETH" else 1) * 10 ** DECIMALS[symbol])
            for symbol in RESERVES
        }
        for symbol, amount in units.items():
            mint(chain, book, symbol, lender.address, amount)
            lender.send(interface("erc20", book[symbol]), "approve", pool.address, amount)
            lender.send(pool, "supply", book[symbol], amount, lender.address, 0)
        for symbol, amount in units.items():
            lender.send(pool, "borrow", book[symbol], amount // 2, VARIABLE_RATE, 0, lender.address)


def _market(
    builder: Builder,
    book: dict[str, Address],
    name: str,
    curve: RateCurve,
    libraries: dict[str, Contract],
    eth_usd: Decimal,
) -> dict[str, Address]:
    create, send, owner = builder.create, builder.send, builder.address
    provider = create(PACKAGE, "PoolAddressesProvider", name, owner)
    send(provider, "setACLAdmin", owner)
    acl = create(PACKAGE, "ACLManager", provider.address)
    send(provider, "setACLManager", acl.address)
    send(acl, "addPoolAdmin", owner)
    prices = create(PACKAGE, "PriceOracle")
    oracle = create(PACKAGE, "AaveOracle", provider.address, [], [], prices.address, ZERO, 10**8)
    send(provider, "setPriceOracle", oracle.address)
    data_provider = create(PACKAGE, "AaveProtocolDataProvider", provider.address)
    send(provider, "setPoolDataProvider", data_provider.address)
    pool_code = create(PACKAGE, "Pool", provider.address, libraries=libraries)
    send(provider, "setPoolImpl", pool_code.address)
    configurator_code = create(PACKAGE, "PoolConfigurator", libraries=libraries)
    send(provider, "setPoolConfiguratorImpl", configurator_code.address)
    pool = Address(provider.read(builder.chain, "getPool"))
    configurator = configurator_code.at(provider.read(builder.chain, "getPoolConfigurator"))

    strategy = _strategy(builder, provider.address, curve)
    codes = [create(PACKAGE, code, pool) for code in ("AToken", "StableDebtToken", "VariableDebtToken")]
    send(configurator, "initReserves", [_reserve(book, symbol, codes, strategy, owner) for symbol in RESERVES])
    for symbol, terms in RESERVES.items():
        price = eth_usd if symbol == "WETH" else Decimal(1)
        send(prices, "setAssetPrice", book[symbol], int(price * 10**8))
        send(configurator, "setReserveBorrowing", book[symbol], True)
        send(configurator, "setReserveFactor", book[symbol], 1_000)
        if terms.threshold:
            send(configurator, "configureReserveAsCollateral", book[symbol], terms.ltv, terms.threshold, 10_500)
    return {
        f"{name}-pool": pool,
        f"{name}-provider": provider.address,
        f"{name}-oracle": oracle.address,
        f"{name}-prices": prices.address,
        f"{name}-data-provider": data_provider.address,
    }


def _strategy(builder: Builder, provider: Address, curve: RateCurve) -> Address:
    variable = [int(rate * RAY) for rate in (curve.kink, curve.base, curve.slope1, curve.slope2)]
    stable = [int(Decimal(rate) * RAY) for rate in ("0.07", "0.60", "0.02", "0.05", "0.20")]
    return builder.create(PACKAGE, "DefaultReserveInterestRateStrategy", provider, *variable, *stable).address


def _reserve(
    book: dict[str, Address], symbol: str, codes: list[Contract], strategy: Address, treasury: Address
) -> dict[str, object]:
    return {
        "aTokenImpl": codes[0].address,
        "stableDebtTokenImpl": codes[1].address,
        "variableDebtTokenImpl": codes[2].address,
        "underlyingAssetDecimals": DECIMALS[symbol],
        "interestRateStrategyAddress": strategy,
        "underlyingAsset": book[symbol],
        "treasury": treasury,
        "incentivesController": ZERO,
        "aTokenName": f"Aave {symbol}",
        "aTokenSymbol": f"a{symbol}",
        "variableDebtTokenName": f"Aave Variable Debt {symbol}",
        "variableDebtTokenSymbol": f"variableDebt{symbol}",
        "stableDebtTokenName": f"Aave Stable Debt {symbol}",
        "stableDebtTokenSymbol": f"stableDebt{symbol}",
        "params": b"",
    }


_SET_PRICE = {
    "type": "function",
    "name": "setAssetPrice",
    "inputs": [{"name": "asset", "type": "address"}, {"name": "price", "type": "uint256"}],
    "outputs": [],
}
