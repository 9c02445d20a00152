"""Batches of which at most one can ever happen: they share a nonce, and with it the cancel that voids them all."""

from dataclasses import dataclass

from engine.errors import OrderRejected
from engine.orders import SafeTx


@dataclass(frozen=True, slots=True)
class Alternatives:
    """
    Batches on one nonce of one Safe, and the cancel of that nonce.

    Owners sign all of them in one sitting, `transactions` in order: the one that fits what the broker
    filled is sent, and the nonce makes the others void (faults 4.4).
    """

    batches: tuple[SafeTx, ...]
    cancel: SafeTx

    def __post_init__(self) -> None:
        if not self.batches:
            raise _refused("it holds no batch")
        places = {(tx.chain_id, tx.safe, tx.nonce) for tx in self.transactions}
        if len(places) != 1:
            raise _refused("its batches are not all on the cancel's chain, Safe and nonce: two could happen")
        if len({tx.hash for tx in self.transactions}) != len(self.transactions):
            raise _refused("two of its batches are one and the same")

    @property
    def transactions(self) -> tuple[SafeTx, ...]:
        """What each owner signs: every batch, then the cancel."""
        return (*self.batches, self.cancel)


def _refused(why: str) -> OrderRejected:
    return OrderRejected("alternatives refused", why=why, todo="propose them together, each once")
