"""What a shock is applied to, and what it says of itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eth_utils.crypto import keccak

from adapters.evm.aave import AaveMarket
from adapters.evm.erc20 import Token
from adapters.evm.fork import Fork, Sent
from adapters.evm.lyra import LyraOptions
from adapters.evm.uniswap import UniswapSwaps
from adapters.evm.uniswap_wire import SwapPool
from adapters.evm.wire import address
from engine.orders import Address

_POOL = "pool-"


class NotHereError(Exception):
    """This chain lacks what a shock works through; its words become `Shock.why_not`."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One number that a shock moved, in `unit`."""

    what: str
    before: float
    after: float
    unit: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard says under a shock: `refuses` where it stops new risk."""

    guard: str
    refuses: bool
    says: str


@dataclass(frozen=True, slots=True)
class Around:
    """A stranger's transactions right before and right after ours, and the token he counts his result in."""

    front: Sent
    back: Sent
    token: Token


@dataclass(frozen=True, slots=True)
class Shock:
    """
    What was done, in numbers; nothing where `why_not` says why it could not be.

    `renew` brings it back into force where blocks wear it off. `around` has still to be sent, with ours between.
    """

    effects: tuple[Effect, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    why_not: str = ""
    renew: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)
    around: Around | None = None

    @property
    def applied(self) -> bool:
        """Whether the chain is now as the scenario says."""
        return not self.why_not


@dataclass(frozen=True, slots=True)
class Stage:
    """
    A fork and what a desk has there.

    `book` maps names to addresses, as a workspace keeps them: pools are ``pool-A-B``, test oracles ``*-prices``.
    """

    fork: Fork
    book: Mapping[str, Address]
    lending: Sequence[AaveMarket]
    options: LyraOptions | None
    swaps: UniswapSwaps

    @property
    def tokens(self) -> Mapping[str, Token]:
        """What may be lent or borrowed, by code."""
        return {code: token for market in self.lending for code, token in market.pool.tokens.items()}

    def stands(self, name: str) -> bool:
        """Whether the address book's `name` is a contract on this chain."""
        return name in self.book and bool(self.fork.chain.code(self.book[name]))

    def pools(self, code: str) -> Iterator[SwapPool]:
        """Pools of the book and of the desk that hold a token."""
        known = {pool.address: pool for pool in self.swaps.pools}
        for name, place in self.book.items():
            codes = name.removeprefix(_POOL).split("-") if name.startswith(_POOL) else []
            if place not in known and len(codes) == 2 and all(each in self.tokens for each in codes):
                known |= self._pool(name, place, codes)
        for pool in known.values():
            if code in {token.currency.code for token in pool.tokens}:
                yield pool

    def _pool(self, name: str, place: Address, codes: Sequence[str]) -> dict[Address, SwapPool]:
        if not self.stands(name):
            return {}
        made = SwapPool(place, (self.tokens[codes[0]], self.tokens[codes[1]]), 0)
        return {place: SwapPool(place, made.tokens, int(made.contract.read(self.fork.chain, "fee")))}


def somebody(role: str) -> Address:
    """An account of nobody's, the same for the same role on every chain."""
    return address(keccak(text=f"a {role} in a scenario")[12:])
