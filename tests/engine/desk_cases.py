"""A modelled market, two lending pools and a funded book, for decisions made on them."""

from dataclasses import replace
from datetime import date

from adapters.files.observation import demo_day
from engine import cycle
from engine.instruments import Cash
from engine.market import LendingMarket, OnchainState
from engine.money import USD, Currency, Money, usd
from engine.plan.canonical import sealed
from engine.plan.sequence import Venues, broker_orders, vault_orders
from engine.policy.settings import Policy
from engine.positions import Book, Position, Sleeve
from tests.engine.plans import plan

USDC, DAI, WETH = Currency("USDC", 6), Currency("DAI", 18), Currency("WETH", 18)
MARKET = demo_day(date(2018, 4, 25))
POLICY = Policy.model_validate({"core": {"dte_min": 50, "dte_target": 52, "dte_max": 53}})
"""One expiry competes: the AM-settled one 52 days away."""
VENUES = Venues("paper", "lyra", "uniswap", "ramp", {"USDC": USDC, "DAI": DAI, "WETH": WETH}, "USDC")


def pool(name, **changed):
    """A pool that lends DAI at 4.4 %, out of reach of everything else."""
    rate = changed.pop("rate", 0.044)
    told = {"recourse": False, "collateral": "USDC", "withdrawable": 1e6} | changed
    return LendingMarket(name, "DAI", rate, 0.03, 0.80, 0.75, 1e7, 0.5, 0.0, rate * 1.6, 0.6, 0.8, **told)


def snapshot(*pools, ether=700.0):
    prices = {"WETH": ether, "ETH": ether, "USDC": 1.0, "DAI": 1.0}
    return MARKET.with_chain(OnchainState(31337, 10, "0xb", MARKET.asof, prices, pools or (pool("cheap"),), (), 10**9))


def held(instrument, quantity, sleeve=Sleeve.DEFI, venue="vault"):
    return Position(instrument, Money.of(str(quantity), instrument.unit), sleeve, venue)


def funded(broker=850_000, coins=150_000):
    """Dollars at the broker, idle USDC in the vault."""
    return Book((Position(Cash(USD), usd(broker), Sleeve.CONDOR, "paper"), held(Cash(USDC), coins)))


def decided(seen, book=None, policy=POLICY, **asked):
    return cycle.decide(seen, funded() if book is None else book, policy, fee_per_contract=1.15, **asked)


def planned(decision):
    """The orders of a decision as a plan, prices as the decision estimates them."""
    orders = [
        *broker_orders(decision.target.core, VENUES, "t"),
        *vault_orders(decision.target, None, VENUES, "t"),
    ]
    return sealed(replace(plan(orders=tuple(orders), batches=()), digest=""))
