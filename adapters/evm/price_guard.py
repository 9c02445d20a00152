"""
When an on-chain price is believed: a feed's round is fresh, whole and positive; a pool's spot is near its own
average, in a pool that keeps enough of its past; and two sources agree.

Nothing here is a forecast: a price that fails is no price, and no order is made from it (faults F41-F43).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, expm1, isfinite, log
from typing import Any

from adapters.evm.abi import AbiEntry, encode_call
from adapters.evm.batch_reads import Reads, told
from adapters.evm.chain import Reverted
from adapters.evm.contract import Query
from adapters.evm.uniswap_wire import SwapPool
from adapters.evm.wire import plain_call
from engine.errors import MarketDataError, StaleQuote
from engine.orders import Address, Call

_TICK = log(1.0001)
_BLOCK_SECONDS = 12


@dataclass(frozen=True, slots=True)
class PriceGuard:
    """
    How far a pool's price may stray, and what a pool needs to be believed.

    Parameters
    ----------
    window_seconds : of the time-weighted average
    most : spot off its average, as a share of it (0.02 = 2 %; faults F42)
    least_liquidity : in the pool's own L
    least_observations : that its oracle keeps (faults F43); `observations_for` says how many cover a window
    sources_most : average off another source's price, as a share of that
    """

    window_seconds: int = 300
    most: float = 0.02
    least_liquidity: int = 1
    least_observations: int = 2
    sources_most: float = 0.02


@dataclass(frozen=True, slots=True)
class PriceReading:
    """
    Spot and average of one pool, as ticks of token1 per token0.

    `deviation` is spot over average, less one, in that direction; `price` the average in whole tokens.
    """

    spot_tick: int
    mean_tick: float
    liquidity: int
    observations: int
    decimals: tuple[int, int] = (0, 0)

    @property
    def deviation(self) -> float:
        """Signed, as a share of the average."""
        return expm1((self.spot_tick - self.mean_tick) * _TICK)

    @property
    def price(self) -> float:
        """Average price of one whole token0 in whole token1."""
        return tick_price(self.mean_tick, self.decimals)


@dataclass(frozen=True, slots=True)
class Round:
    """A feed's latest round as it answers; instants in seconds since 1970."""

    id: int
    answer: int
    started: int
    updated: int
    answered_in: int
    decimals: int


@dataclass(frozen=True, slots=True)
class Feed:
    """
    One price feed (Chainlink's `AggregatorV3Interface`).

    `heartbeat_seconds` is how often it promises to answer, `grace_seconds` what is forgiven beyond that.
    """

    name: str
    address: Address
    decimals: int
    heartbeat_seconds: int
    grace_seconds: int = 60

    def reads(self) -> Reads[Round]:
        """Its latest round."""
        asked = tuple(Query(self.address, encode_call(entry, ()), entry) for entry in (_LATEST_ROUND, _DECIMALS))

        def make(answers: Sequence[Any]) -> Round:
            latest, decimals = answers
            return Round(
                id=latest["roundId"],
                answer=latest["answer"],
                started=latest["startedAt"],
                updated=latest["updatedAt"],
                answered_in=latest["answeredInRound"],
                decimals=decimals,
            )

        return Reads(asked, make)

    def price(self, found: Round, now: int) -> float:
        """
        The round's price, in whole units of what it is quoted in.

        Parameters
        ----------
        now : the chain's clock, seconds since 1970: what it says of itself is judged in its own time (F59)

        Raises
        ------
        StaleQuote : older than heartbeat and grace, or stamped later than the chain's clock
        MarketDataError : not positive, a round that is not whole, or other decimals than configured
        """
        if found.decimals != self.decimals:
            raise self._unusable(f"it has {found.decimals} decimals, {self.decimals} are configured")
        if found.answer <= 0:
            raise self._unusable(f"its answer is {found.answer}")
        if found.updated <= 0 or found.started <= 0 or found.answered_in < found.id:
            raise self._unusable(f"its round {found.id} is not whole")
        age, most = now - found.updated, self.heartbeat_seconds + self.grace_seconds
        if not 0 <= age <= most:
            raise StaleQuote(
                f"feed {self.name} refused",
                why=f"it is {age} s old, {most} s are allowed" if age > 0 else f"it is {-age} s ahead of the chain",
                todo="wait for its next answer; no order is made",
            )
        return float(found.answer / 10**self.decimals)

    def _unusable(self, why: str) -> MarketDataError:
        return MarketDataError(f"feed {self.name} refused", why=why, todo="check the feed; no order is made")


def tick_price(tick: float, decimals: tuple[int, int]) -> float:
    """
    Price of one whole token0 in whole token1 at `tick`.

    >>> round(tick_price(-200311, (18, 6)), 2)
    2000.04
    """
    return exp(tick * _TICK) * 10.0 ** (decimals[0] - decimals[1])


def observations_for(window_seconds: int, *, block_seconds: int = _BLOCK_SECONDS) -> int:
    """
    Observations that cover a window however many swaps there are: one is written per block at most.

    >>> observations_for(1800)
    151
    """
    return -(-window_seconds // block_seconds) + 1


def pool_reads(pool: SwapPool, window_seconds: int) -> Reads[PriceReading]:
    """Spot against average of a pool; `MarketDataError` where its oracle does not reach back that far."""
    asked = pool.contract.query
    decimals = tuple(token.currency.decimals for token in sorted(pool.tokens, key=lambda t: int(t.address, 16)))

    def make(answers: Sequence[Any]) -> PriceReading:
        slot, past, liquidity = answers
        told((slot, liquidity))
        if isinstance(past, Reverted):
            raise unpriced(pool, f"its oracle does not reach back {window_seconds} s ({past.reason})") from past
        first, last = past["tickCumulatives"]
        mean = (last - first) / window_seconds
        return PriceReading(slot["tick"], mean, liquidity, slot["observationCardinality"], (decimals[0], decimals[1]))

    queries = asked("slot0"), asked("observe", [window_seconds, 0]), asked("liquidity")
    return Reads(queries, make, reverts_tell=True)


def believed(pool: SwapPool, seen: PriceReading, guard: PriceGuard) -> PriceReading:
    """The reading, once the pool is deep and keeps enough of its past, and spot is near its average."""
    if seen.observations < guard.least_observations or seen.liquidity < guard.least_liquidity:
        raise unpriced(pool, f"{seen.observations} observations and liquidity {seen.liquidity} are too thin")
    if abs(seen.deviation) > guard.most:
        raise unpriced(pool, f"spot is {seen.deviation:+.2%} off its average, {guard.most:.2%} allowed")
    return seen


def agreed(pool: SwapPool, seen: PriceReading, prices: Mapping[str, float], guard: PriceGuard) -> None:
    """
    Hold a pool's average against a second source.

    Parameters
    ----------
    prices : USD per token by code, from an oracle that does not read this pool

    Raises `MarketDataError` where it lacks a token of the pool, or the two differ by more than allowed.
    """
    first, second = sorted(pool.tokens, key=lambda token: int(token.address, 16))
    worth = [prices.get(token.currency.code, 0.0) for token in (first, second)]
    if not all(isfinite(price) and price > 0 for price in worth):
        raise unpriced(pool, f"a second source prices its tokens at {worth[0]} and {worth[1]}")
    apart = seen.price * worth[1] / worth[0] - 1.0
    if not abs(apart) <= guard.sources_most:
        raise unpriced(pool, f"its average is {apart:+.2%} off the oracle's price, {guard.sources_most:.2%} allowed")


def widening(pool: SwapPool, observations: int) -> Call:
    """
    The call that makes a pool keep so many observations; anybody may make it, once, at set-up.

    They fill as it is swapped through, one a block: until then the pool remembers less.
    """
    names = "/".join(token.currency.code for token in pool.tokens)
    data = encode_call(_GROW, [observations])
    return plain_call(pool.address, data, f"let pool {names} keep {observations} observations")


def unpriced(pool: SwapPool, why: str) -> MarketDataError:
    """The refusal of a pool as a price source."""
    names = "/".join(token.currency.code for token in pool.tokens)
    return MarketDataError(f"pool {names} is no price source now", why=why, todo="wait, or use another pool")


def _entry(name: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> AbiEntry:
    rows = ([{"name": n, "type": t} for n, t in parts.items()] for parts in (inputs, outputs))
    return {"type": "function", "name": name, **dict(zip(("inputs", "outputs"), rows, strict=True))}


_LATEST_ROUND = _entry(
    "latestRoundData",
    {},
    {
        "roundId": "uint80",
        "answer": "int256",
        "startedAt": "uint256",
        "updatedAt": "uint256",
        "answeredInRound": "uint80",
    },
)
_DECIMALS = _entry("decimals", {}, {"decimals": "uint8"})
_GROW = _entry("increaseObservationCardinalityNext", {"observationCardinalityNext": "uint16"}, {})
FEED_ABI = [_LATEST_ROUND, _DECIMALS]
"""What is used of Chainlink's published `AggregatorV3Interface`."""
