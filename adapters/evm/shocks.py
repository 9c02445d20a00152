"""
What may go wrong on chain, by name: brought about on a fork, and said in numbers.

Where a chain lacks what a shock works through, `Shock.why_not` says so: a finding, not an error.
"""

from collections.abc import Callable
from difflib import get_close_matches
from enum import StrEnum

from eth_utils.crypto import keccak

from adapters.evm.abi import AbiEntry
from adapters.evm.chain import Reverted
from adapters.evm.contract import Contract
from adapters.evm.fork import GWEI
from adapters.evm.price_guard import Feed
from adapters.evm.shock import Effect, NotHereError, Shock, Stage, Verdict
from adapters.evm.shock_lending import lenders_leave, rate_at_kink
from adapters.evm.shock_pools import sandwich
from adapters.evm.shock_prices import ether_halved, peg_lost
from adapters.evm.uniswap_wire import Swap
from adapters.evm.wire import ZERO_ADDRESS
from contracts_abi import load
from engine.errors import InputError, MarketDataError

ALL = "all"
HEARTBEAT_SECONDS = 3_600
"""How often Chainlink's ether feed promises to answer on Ethereum."""

_GRACE_SECONDS = 60
_TENFOLD = 10
_STALE_WORD = 2  # of Lyra's `GreekCacheParameters`: staleUpdateDuration


class Scenario(StrEnum):
    """Names as an operator writes them; `calm` shocks nothing."""

    CALM = "calm"
    PRICE_HALVED = "price-halved"
    GAS_TENFOLD = "gas-tenfold"
    PEG_LOST = "peg-lost"
    RATE_AT_KINK = "rate-at-kink"
    TVL_DOWN = "tvl-down"
    ORACLE_FROZEN = "oracle-frozen"
    SANDWICH = "sandwich"

    @property
    def words(self) -> str:
        """What it is, in one line."""
        return _WORDS[self]


_WORDS = {
    Scenario.CALM: "no shock",
    Scenario.PRICE_HALVED: "ether at half its price",
    Scenario.GAS_TENFOLD: "gas at ten times its price",
    Scenario.PEG_LOST: "the stablecoin that secures the loans at 0.88 USD",
    Scenario.RATE_AT_KINK: "lending markets lent out to the kink of their rate curve",
    Scenario.TVL_DOWN: "8 % of what is supplied to the lending markets leaves",
    Scenario.ORACLE_FROZEN: "no price update past its heartbeat",
    Scenario.SANDWICH: "a stranger trades right before and right after our swap",
}


def scenarios(names: list[str]) -> tuple[Scenario, ...]:
    """
    The scenarios asked for, each once and in the order asked; ``all`` is every one.

    Raises `InputError` for an unknown name, with the nearest that is known.

    >>> [str(each) for each in scenarios(["sandwich", "calm", "sandwich"])]
    ['sandwich', 'calm']
    """
    found: dict[Scenario, None] = {}
    for name in names:
        if name == ALL:
            found |= dict.fromkeys(Scenario)
        elif name in set(Scenario):
            found[Scenario(name)] = None
        else:
            known = [*Scenario, ALL]
            near = get_close_matches(name, known, 1, 0.5) or [each for each in known if each.startswith(name[:3])]
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputError(
                f"--scenario {name!r} refused", why="no such scenario", todo=f"{hint}give one of {', '.join(known)}"
            )
    return tuple(found)


def apply(scenario: Scenario, stage: Stage, swap: Swap | None = None) -> Shock:
    """
    Bring a scenario about on a fork.

    Parameters
    ----------
    swap : ours, which a sandwich goes around; None where there is none

    Returns
    -------
    What was done, or `why_not` where this chain lacks what it takes; the fork is then half changed: revert it.
    """
    made: dict[Scenario, Callable[[Stage], Shock]] = {
        Scenario.CALM: lambda _: Shock(),
        Scenario.PRICE_HALVED: ether_halved,
        Scenario.GAS_TENFOLD: gas_tenfold,
        Scenario.PEG_LOST: peg_lost,
        Scenario.RATE_AT_KINK: rate_at_kink,
        Scenario.TVL_DOWN: lenders_leave,
        Scenario.ORACLE_FROZEN: oracle_frozen,
        Scenario.SANDWICH: lambda there: sandwich(there, swap),
    }
    try:
        return made[scenario](stage)
    except NotHereError as lacking:
        return Shock(why_not=str(lacking))
    except Reverted as refused:
        return Shock(why_not=f"a contract here refuses the shock: {refused.reason}")


def gas_tenfold(stage: Stage) -> Shock:
    """Gas at ten times what it costs now, its tip included, for as long as it is renewed (faults F47)."""
    chain, fork = stage.fork.chain, stage.fork
    before = chain.gas_price_wei()
    base = _TENFOLD * before - GWEI

    def renew() -> None:
        for _ in range(2):  # the block that is read, and the one that is charged
            fork.next_base_fee(base)
            chain.mine()
        fork.next_base_fee(base)

    renew()
    after = chain.block().base_fee_wei + GWEI
    return Shock((Effect("gas price", before / GWEI, after / GWEI, "gwei"),), renew=renew)


def oracle_frozen(stage: Stage) -> Shock:
    """
    Time passes and no price is updated: past the ether feed's heartbeat and past the options venue's own bound.

    A test exchange carries no time: its rate is flagged invalid, as Synthetix flags one past its stale period. The
    verdicts say who would notice.
    """
    chain = stage.fork.chain
    started = chain.block().timestamp
    patience = max(HEARTBEAT_SECONDS + _GRACE_SECONDS, _greeks_seconds(stage))
    chain.warp(started + patience + 60)
    passed = chain.block().timestamp - started
    effects = (Effect("since the last price update", 0.0, float(passed), "s"),)
    return Shock(effects, verdicts=(*_feeds(stage), *_spot(stage)))


def _feeds(stage: Stage) -> list[Verdict]:
    """Each lending market's ether feed, held against its heartbeat."""
    found, token = [], stage.tokens.get("WETH")
    for market in stage.lending if token else ():
        assert token is not None
        oracle = Contract(market.addresses.oracle, load("aave-v3-oracle"))
        source = oracle.read(stage.fork.chain, "getSourceOfAsset", token.address)
        name = f"{market.name} price of {token.currency}"
        if source == ZERO_ADDRESS:
            found.append(Verdict(name, False, "no feed behind it: its price carries no time, so nothing can be stale"))
            continue
        feed = Feed(name, source, 8, HEARTBEAT_SECONDS, _GRACE_SECONDS)
        try:
            feed.price(feed.reads().at(stage.fork.chain), stage.fork.chain.block().timestamp)
            found.append(Verdict(name, False, "within its heartbeat"))
        except MarketDataError as stale:
            found.append(Verdict(name, True, stale.why))
    return found


def _spot(stage: Stage) -> list[Verdict]:
    """Whether the options venue still takes the exchange's rate."""
    if stage.options is None:
        return []
    chain, venue = stage.fork.chain, stage.options.addresses
    adapter = Contract(venue.exchange, load("lyra-synthetix-adapter"))
    if stage.stands("lyra-rates"):
        usd = int(adapter.read(chain, "getSpotPriceForMarket", venue.market))
        rates = Contract(stage.book["lyra-rates"], [_SET_RATE, _OWNER])
        stage.fork.call_as(rates.read(chain, "owner"), rates, "setRateAndInvalid", b"sETH".ljust(32, b"\0"), usd, True)
    try:
        adapter.read(chain, "getSpotPriceForMarket", venue.market)
    except Reverted as refused:
        return [Verdict(f"{stage.options.name} spot", True, f"{refused.reason}: nothing is traded there")]
    return [Verdict(f"{stage.options.name} spot", False, "its exchange still gives a rate")]


def _greeks_seconds(stage: Stage) -> int:
    """How old Lyra lets its cached greeks become."""
    if not stage.stands("lyra-greek-cache"):
        return 0
    answer = stage.fork.chain.call(stage.book["lyra-greek-cache"], keccak(text="getGreekCacheParams()")[:4])
    return int.from_bytes(answer[32 * _STALE_WORD : 32 * (_STALE_WORD + 1)])


_OWNER: AbiEntry = {
    "type": "function",
    "name": "owner",
    "inputs": [],
    "outputs": [{"name": "", "type": "address"}],
}
_SET_RATE: AbiEntry = {
    "type": "function",
    "name": "setRateAndInvalid",
    "inputs": [
        {"name": "currencyKey", "type": "bytes32"},
        {"name": "rate", "type": "uint256"},
        {"name": "invalid", "type": "bool"},
    ],
    "outputs": [],
}

__all__ = ["ALL", "Effect", "Scenario", "Shock", "Stage", "Verdict", "apply", "scenarios"]
