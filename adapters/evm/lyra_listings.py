"""What a Lyra market lists: boards, strikes and their volatility, and a strike's terms, which never change."""

from collections.abc import Iterator, Sequence
from typing import Any

from adapters.evm.batch_reads import Moved, Reads, steady, told
from adapters.evm.chain import BlockTag, Chain
from adapters.evm.contract import Contract
from adapters.evm.lyra_wire import Listed, Market, OptionType
from adapters.evm.wire import refused
from engine.errors import VenueError
from engine.instruments import VanillaOption
from engine.market import OptionListing
from engine.orders import Order


class LyraListings:
    """The listed options of one market; terms once read are kept."""

    def __init__(self, chain: Chain, market: Market, name: str) -> None:
        self.chain, self.market, self.name = chain, market, name
        self._known: dict[int, Listed] = {}
        self._boards: tuple[int, ...] = ()

    def listings(self, *, block: BlockTag = "latest") -> tuple[OptionListing, ...]:
        """Every strike of every live board with its volatility now (board's times strike's), at one block."""
        where = block if isinstance(block, int) else self.chain.block(block).pinned
        return steady(lambda: self.listing_reads().at(self.chain, where))

    def listing_reads(self) -> Reads[tuple[OptionListing, ...]]:
        """The reads behind `listings`; `Moved` is raised where the live boards are not those known."""
        known = self._boards
        asked = [self._market().query("getBoardAndStrikeDetails", board) for board in known]

        def make(answers: Sequence[Any]) -> tuple[OptionListing, ...]:
            (live,) = told(answers[:1])
            self._boards = tuple(live)
            if self._boards != known:
                raise Moved(f"list of boards on {self.name}")
            return tuple(listing for board in told(answers[1:]) for listing in self._listings(board))

        return Reads((self._market().query("getLiveBoards"), *asked), make, reverts_tell=True)

    def _listings(self, details: tuple[Any, ...]) -> Iterator[OptionListing]:
        board, strikes, _, _ = details
        for strike in strikes:
            listed = Listed(strike["id"], board["id"], strike["strikePrice"], board["expiry"])
            self._known[listed.strike_id] = listed
            vol = board["iv"] * strike["skew"] / 1e36
            yield OptionListing(self.name, str(listed.strike_id), listed.expires, float(listed.price), vol, vol)

    def instrument(self, listing: OptionListing, right: str) -> VanillaOption:
        """The instrument of a listing; `right` is "C" or "P"."""
        kind = OptionType.LONG_PUT if right == "P" else OptionType.LONG_CALL
        return self.market.option(self.terms(int(listing.listing)), kind.right)

    def terms_of(self, strike_id: int) -> Listed | None:
        """A strike's terms, None if the market never listed it."""
        if strike_id not in self._known:
            strike, board = self._market().read(self.chain, "getStrikeAndBoard", strike_id)
            if strike["id"] != strike_id or strike_id == 0:
                return None
            self._known[strike_id] = Listed(strike_id, board["id"], strike["strikePrice"], board["expiry"])
        return self._known[strike_id]

    def terms(self, strike_id: int) -> Listed:
        """A strike's terms. Raises `VenueError` if the market never listed it."""
        if (listed := self.terms_of(strike_id)) is None:
            raise VenueError(f"strike {strike_id} unknown", why=f"{self.name} never listed it", todo="reconcile")
        return listed

    def listed(self, order: Order, option: VanillaOption) -> Listed:
        """The strike behind an option. Raises `OrderRejected` if the market does not list it."""
        for fresh in (False, True):
            if fresh:
                self.listings()
            for listed in self._known.values():
                if self.market.option(listed, option.right) == option:
                    return listed
        raise refused(order, f"{option.id} is not listed on {self.name}", "choose a listed strike and expiry")

    def _market(self) -> Contract:
        return self.market.contract
