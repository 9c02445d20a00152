"""The executor: one native transaction at a time, remembered before it leaves, never sent blindly twice."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from eth_utils.crypto import keccak

from adapters.evm.chain import Chain
from adapters.evm.composing import Composer, Sender
from adapters.evm.fees import GasBudgetExceeded, GasPolicy, replacing_fees
from adapters.evm.finality import Attempt, Standing, attempt, missing_nonces, standing
from engine.entries import EntryStatus
from engine.errors import OrderRejected, OutcomeUnknown, VenueUnavailable
from engine.orders import Address
from engine.ports import Receipt

_FIRST_PAUSE_SECONDS, _POLL_SECONDS = 0.001, 0.5

Remember = Callable[[str, bytes], None]
"""Makes hash and raw bytes durable; called before the bytes leave this machine."""


class NonceTaken(OrderRejected):
    """Another transaction used the nonce in a final block: what was sent can never act, and cost nothing."""

    def __init__(self, stands: Standing) -> None:
        self.standing = stands
        super().__init__(
            f"transaction {stands.hashes[-1]} is void",
            why=stands.why,
            todo="run `hedge reconcile`: the chain says what happened instead",
        )


class Executor(Composer):
    """
    Sends what the vault decided, from an account of its own.

    Parameters
    ----------
    chain : where to
    sender : who pays the gas
    remember : see `Remember`
    policy : fees and waits
    local : a chain whose blocks we make ourselves; finality is then mined, not awaited
    outstanding : raw bytes remembered earlier that are not known to be final or void; while one of them
        can still act nothing new is sent
    """

    def __init__(
        self,
        chain: Chain,
        sender: Sender,
        *,
        remember: Remember,
        policy: GasPolicy | None = None,
        local: bool = False,
        outstanding: Callable[[], Iterable[bytes]] = tuple,
    ) -> None:
        super().__init__(chain, sender, policy or GasPolicy(), outstanding)
        self._remember, self.local = remember, local
        self._one_in_flight = Lock()

    def send(self, to: Address, data: bytes) -> Receipt:
        """
        Send one transaction and wait until it is final; `receipt.status` says whether it reverted.

        One that no block takes within `policy.patience_seconds` is replaced by the same call at higher
        fees, within the budget; every attempt is remembered before it leaves, and one nonce acts once.

        Raises
        ------
        OrderRejected : refused before it left (it would revert, gas over its budget, too little ether),
            or void: `NonceTaken`
        VenueUnavailable : nothing left: no node, or an earlier transaction is still pending
        OutcomeUnknown : it left and is not final within the wait; give its raw bytes to `settle`
        """
        with self._one_in_flight:
            first = self._signed(self._transaction(to, data))
            self._broadcast(first)
            return self._await([first])

    def settle(self, *raws: bytes) -> Receipt:
        """
        Bring a remembered transaction, or all remembered attempts at one nonce, to their end.

        Their hashes are looked up, and only if no node knows one the last bytes are broadcast again, which
        can never act twice (faults F19, F23, F24). Raises as `send` does.
        """
        with self._one_in_flight:
            attempts = [attempt(raw) for raw in raws]
            unused = self.chain.nonce(self.sender.address) <= attempts[0].nonce
            if unused and not any(map(self._known, attempts)):
                self._broadcast(attempts[-1])
            return self._await(attempts)

    def standings(self, raws: Iterable[bytes]) -> tuple[Standing, ...]:
        """
        Where each nonce of the remembered transactions stands now, by nonce; sends nothing.

        Raises `InputError` for bytes that are no transaction, `OrderRejected` for another chain's.
        """
        by_nonce: dict[int, list[Attempt]] = {}
        for each in map(attempt, raws):
            if each.chain_id != self.chain.chain_id:
                raise OrderRejected(
                    f"transaction {each.hash} refused",
                    why=f"it is for chain {each.chain_id}, this is {self.chain.chain_id}",
                    todo="use the journal of this chain",
                )
            by_nonce.setdefault(each.nonce, []).append(each)
        return tuple(self._standing(by_nonce[nonce]) for nonce in sorted(by_nonce))

    def recover(self, raws: Iterable[bytes]) -> tuple[Standing, ...]:
        """
        After a crash, an eviction or a reorganisation: every remembered nonce up to where it can go.

        What no node knows is broadcast again as the same bytes, in order of nonce; a nonce that nothing was
        ever sent for, with one of ours waiting behind it, is filled with an empty transfer to ourselves
        (faults F21). Waits for nothing: ask `settle` for those still in flight.
        """
        with self._one_in_flight:
            remembered = list(raws)
            before = self.standings(remembered)
            flying = [each for each in before if each.status is EntryStatus.IN_FLIGHT]
            for nonce in missing_nonces(self.chain.nonce(self.sender.address), [each.nonce for each in flying]):
                filler = self._signed(self._transfer(nonce))
                remembered.append(filler.raw)
                self._broadcast(filler)
            for each in flying:
                last = next(raw for raw in reversed(remembered) if attempt(raw).hash == each.hashes[-1])
                if each.receipt is None and not any(self.chain.transaction(name) for name in each.hashes):
                    self._again([attempt(last)])
            return self.standings(remembered)

    def finality(self, transaction_hash: str) -> Receipt:
        """The receipt of a mined transaction, ours or another's, once final. Raises `OutcomeUnknown`."""
        until = time.monotonic() + self.policy.wait_seconds
        while True:
            receipt = self.chain.receipt(transaction_hash)
            if receipt is not None and receipt.final:
                return receipt
            if receipt is not None and self.local:
                self.chain.bury()
            elif receipt is None or time.monotonic() > until:
                raise OutcomeUnknown(
                    f"transaction {transaction_hash} is not final",
                    why="it left the chain" if receipt is None else f"block {receipt.block} can still go",
                    todo="wait and run the same command again",
                )
            else:
                time.sleep(_POLL_SECONDS)

    def _signed(self, transaction: dict[str, Any]) -> Attempt:
        """Signed and remembered: from here on it may leave."""
        raw = self.sender.sign_native(transaction)
        self._remember("0x" + keccak(raw).hex(), raw)
        return attempt(raw)

    def _broadcast(self, sent: Attempt) -> None:
        try:
            self.chain.send_raw(sent.raw)
        except OutcomeUnknown as unsure:
            with _on_its_way(sent):
                found = self._known(sent) or self.chain.receipt(sent.hash)
            if not found:
                raise OutcomeUnknown(
                    f"transaction {sent.hash} may be in",
                    why=f"{unsure.why}; the node does not know it now",
                    todo="run the same command again: it looks the hash up before anything else",
                ) from unsure

    def _await(self, attempts: Sequence[Attempt]) -> Receipt:
        with _on_its_way(attempts[-1]):
            return self._ended(list(attempts))

    def _ended(self, attempts: list[Attempt]) -> Receipt:
        now = time.monotonic()
        until, replace_at, stuck = now + self.policy.wait_seconds, now + self.policy.patience_seconds, ""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            stands = self._standing(attempts)
            if stands.status is EntryStatus.FINAL and stands.receipt is not None:
                return stands.receipt
            if stands.status is EntryStatus.VOID:
                raise NonceTaken(stands)
            if self.local and (stands.receipt is not None or self.chain.nonce(self.sender.address) > stands.nonce):
                self.chain.bury()
                continue
            if time.monotonic() > until:
                raise OutcomeUnknown(
                    f"transaction {attempts[-1].hash} is not final",
                    why=f"{stands.why} in time{stuck}" if stands.receipt is None else stands.why,
                    todo="wait and run the same command again; nothing is sent twice while a node knows it",
                )
            if stands.receipt is None:
                if not any(map(self._known, attempts)):  # dropped by a reorganisation, or evicted
                    self._again(attempts)
                elif time.monotonic() > replace_at and not stuck:
                    stuck = self._replace(attempts)
                    replace_at = time.monotonic() + self.policy.patience_seconds
            time.sleep(pause)
            pause = min(2 * pause, _POLL_SECONDS)

    def _standing(self, attempts: Sequence[Attempt]) -> Standing:
        """Without a receipt counts are asked, then receipts again: a nonce seen as used has its receipt by then."""
        sender, nonce = self.sender.address, attempts[0].nonce
        used = used_finally = 0
        found = self._receipts(attempts)
        if not found and (used := self.chain.nonce(sender)) > nonce:
            used_finally = self.chain.nonce(sender, block=self.chain.heads().final)
            found = self._receipts(attempts)
        return standing(nonce, [each.hash for each in attempts], found, used=used, used_finally=used_finally)

    def _receipts(self, attempts: Sequence[Attempt]) -> dict[str, Receipt]:
        return {each.hash: receipt for each in attempts if (receipt := self.chain.receipt(each.hash)) is not None}

    def _replace(self, attempts: list[Attempt]) -> str:
        """Adds an attempt at higher fees; the reason why not where gas is over its budget."""
        last = attempts[-1]
        try:
            fees = replacing_fees(last.fees, self.chain.block().base_fee_wei, last.gas, self.policy)
        except GasBudgetExceeded as over:
            return f"; {over.what}: {over.why}"
        terms = self._terms(last.nonce, last.to, last.data, last.gas, fees.max_fee_wei, fees.tip_wei)
        attempts.append(self._signed(terms))
        try:
            self.chain.send_raw(attempts[-1].raw)
        except (OrderRejected, OutcomeUnknown):
            return ""  # the one before is mined, or still waits; the next round sees
        return ""

    def _again(self, attempts: list[Attempt]) -> None:
        """The same bytes first; where the node takes them no more for their fee, the same call at a higher one."""
        last = attempts[-1]
        try:
            self.chain.send_raw(last.raw)
        except OutcomeUnknown:
            return  # looked up again in the next round
        except OrderRejected as broken:
            base = self.chain.block().base_fee_wei
            why = self._replace(attempts) if last.fees.max_fee_wei < base else f"; {broken.why}"
            if why:
                raise OutcomeUnknown(
                    f"transaction {last.hash} vanished",
                    why=f"the node takes the same bytes no more{why}",
                    todo="run `hedge reconcile`: the chain says what happened",
                ) from broken

    def _known(self, sent: Attempt) -> bool:
        return self.chain.transaction(sent.hash) is not None


@contextmanager
def _on_its_way(sent: Attempt) -> Iterator[None]:
    """A node that gives no usable answer about what has left this machine leaves its outcome unknown."""
    try:
        yield
    except VenueUnavailable as down:
        raise OutcomeUnknown(
            f"transaction {sent.hash} may be in",
            why=f"{down.what}: {down.why}",
            todo="run the same command again: it looks the hash up before anything else",
        ) from down


__all__ = ["Executor", "GasPolicy", "NonceTaken", "Remember", "Sender"]
