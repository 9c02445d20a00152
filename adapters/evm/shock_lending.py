"""Others in our lending markets: somebody borrows up to the kink, or lenders leave."""

from collections.abc import Iterator

from adapters.evm.aave import AaveMarket
from adapters.evm.chain import Reverted
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import account
from adapters.evm.erc20 import Token
from adapters.evm.shock import Effect, NotHereError, Shock, Stage, Verdict, somebody
from adapters.evm.wire import ZERO_ADDRESS, address
from contracts_abi import load
from engine.money import Money
from engine.orders import Address

OUTFLOW_PERCENT = 8
"""D22: of value locked, over 48 hours."""

_VARIABLE, _NO_REFERRAL = 2, 0
_SEEN_BLOCKS = 2_000
_RAY = 10**27


def rate_at_kink(stage: Stage) -> Shock:
    """
    Each market's borrowed asset lent out to the kink of its rate curve, by a borrower who brings the collateral.

    Raises `NotHereError` where the market does not take that collateral or lend that much.
    """
    effects: list[Effect] = []
    for market in stage.lending:
        before = market.lending()
        wanted = _to_kink(stage, market)
        if wanted > 0:
            _borrow(stage, market, wanted)
        after, name = market.lending(), f"{market.asset.currency} at {market.name}"
        effects += [
            Effect(f"lent out of {name}", 100 * before.utilisation, 100 * after.utilisation, "%"),
            Effect(f"borrow rate of {name}", 100 * before.borrow_rate, 100 * after.borrow_rate, "% a year"),
        ]
    return Shock(tuple(effects))


def lenders_leave(stage: Stage) -> Shock:
    """
    Of every reserve of every market 8 % of what is supplied is withdrawn, by lenders who are there.

    Raises `NotHereError` where those seen of late cannot withdraw as much.
    """
    effects = []
    for market in stage.lending:
        before = gone = 0.0
        prices = market.prices()
        for code, token in market.pool.tokens.items():
            supplied = _supplied(stage, market, token)
            leaving = -(-supplied * OUTFLOW_PERCENT // 100)
            _withdraw(stage, market, token, leaving)
            before += Money(supplied, token.currency).to_float() * prices[code]
            gone += Money(leaving, token.currency).to_float() * prices[code]
        effects.append(Effect(f"supplied to {market.name}", before, before - gone, "USD"))
    says = f"-{OUTFLOW_PERCENT} % in units: its seat votes for less risk, and with prices rising the tvl-run rule fires"
    return Shock(tuple(effects), verdicts=(Verdict("value locked (D22)", refuses=True, says=says),))


def _to_kink(stage: Stage, market: AaveMarket) -> int:
    """Units whose borrowing brings the reserve to the kink; zero or less where it is there already."""
    data, chain = _data(market), stage.fork.chain
    reserve = data.read(chain, "getReserveData", market.asset.address)
    lent = int(reserve["totalStableDebt"]) + int(reserve["totalVariableDebt"])
    free = int(market.asset.contract.read(chain, "balanceOf", _receipts(stage, market, market.asset).address))
    model = Contract(
        data.read(chain, "getInterestRateStrategyAddress", market.asset.address), load("aave-v3-rate-strategy")
    )
    kink = int(model.read(chain, "OPTIMAL_USAGE_RATIO"))
    return -(-kink * (lent + free) // _RAY) - lent


def _borrow(stage: Stage, market: AaveMarket, units: int) -> None:
    """Borrow with twice the collateral it takes."""
    fork, borrower, pool = stage.fork, somebody("borrower"), market.pool.contract
    prices, terms = market.prices(), market.lending()
    owed = Money(units, market.asset.currency).to_float() * prices[market.asset.currency.code]
    needed = 2.0 * owed / max(terms.ltv, 0.01) / prices[market.collateral.currency.code]
    pledged = Money.rounded(needed, market.collateral.currency).units
    if not fork.give(market.collateral, borrower, pledged):
        raise NotHereError(f"balances of {market.collateral.currency} cannot be written here")
    try:
        fork.call_as(borrower, market.collateral.contract, "approve", pool.address, pledged)
        fork.call_as(borrower, pool, "supply", market.collateral.address, pledged, borrower, _NO_REFERRAL)
        fork.call_as(borrower, pool, "borrow", market.asset.address, units, _VARIABLE, _NO_REFERRAL, borrower)
    except Reverted as refused:
        raise NotHereError(f"{market.name} lends a stranger no {market.asset.shown(units)}: {refused.reason}") from None


def _withdraw(stage: Stage, market: AaveMarket, token: Token, left: int) -> None:
    receipts, chain = _receipts(stage, market, token), stage.fork.chain
    why = "nobody who lent of late has as much"
    for lender in _lenders(stage, receipts):
        part = min(left, int(receipts.read(chain, "balanceOf", lender)))
        if part and lender != market.holder.safe:
            try:
                stage.fork.call_as(lender, market.pool.contract, "withdraw", token.address, part, lender)
            except Reverted as refused:
                why = refused.reason
            else:
                left -= part
        if not left:
            return
    if left:
        raise NotHereError(f"{token.shown(left)} of {market.name} cannot be withdrawn: {why}")


def _lenders(stage: Stage, receipts: Contract) -> Iterator[Address]:
    """The local world's own lender, then whoever was given receipt tokens in the latest blocks."""
    yield Address(account(9).address)
    chain, minted = stage.fork.chain, "0x" + "0" * 64
    first = max(chain.height() - _SEEN_BLOCKS, 0)
    logs = chain.logs(address=receipts.address, topics=[receipts.topic("Transfer"), minted], first=first)
    yield from dict.fromkeys(address(str(log["topics"][2])[-40:]) for log in reversed(logs))


def _supplied(stage: Stage, market: AaveMarket, token: Token) -> int:
    return int(_data(market).read(stage.fork.chain, "getATokenTotalSupply", token.address))


def _receipts(stage: Stage, market: AaveMarket, token: Token) -> Contract:
    """The token that lenders of `token` hold."""
    found = _data(market).read(stage.fork.chain, "getReserveTokensAddresses", token.address)["aTokenAddress"]
    if found == ZERO_ADDRESS:
        raise NotHereError(f"{market.name} has no reserve of {token.currency} here")
    return Contract(address(found), load("erc20"))


def _data(market: AaveMarket) -> Contract:
    return Contract(market.addresses.data_provider, load("aave-v3-data-provider"))
