"""The Safe as a vault: proposes batches, re-derives what was signed, and is the only thing that sends."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.transactions import Executor
from adapters.evm.wire import ZERO_ADDRESS, Permit, events, hex0x
from adapters.safe.allow import AllowList
from adapters.safe.eip712 import rehash, safe_tx
from adapters.safe.multisend import Batch, decode_batch, encode_batch
from adapters.safe.signatures import Terms, check
from adapters.safe.simulation import try_batch, try_execution
from adapters.safe.state import SafeSettings, SafeState, check_pins, read_state, refuse_strangers
from contracts_abi import load
from engine.errors import OrderRejected, OutcomeUnknown, PlanChanged
from engine.orders import Address, Call, SafeTx, VaultBatch
from engine.ports import Receipt, SignedSafeTx

CALL, DELEGATECALL = 0, 1


class SafeVault:
    """
    Carries out signed batches from one Safe 1.4.1 (port `engine.ports.Vault`).

    Parameters
    ----------
    chain : where the Safe is
    settings : the Safe as it was set up; a stranger in it refuses the start with `ConfigError`
    permits : every call that venues may ask for, with its words
    executor : who pays for gas; None for a vault that only proposes and checks
    """

    def __init__(
        self,
        chain: Chain,
        settings: SafeSettings,
        permits: Iterable[Permit],
        executor: Executor | None = None,
    ) -> None:
        refuse_strangers(chain, settings)
        self.chain, self.settings, self.executor = chain, settings, executor
        self.allowed = AllowList(permits)
        self.contract = Contract(settings.safe, load("safe-1.4.1"))

    @property
    def address(self) -> Address:
        """The Safe's address."""
        return self.settings.safe

    def state(self) -> SafeState:
        """Owners, threshold, nonce and the rest at the latest block."""
        return read_state(self.chain, self.settings.safe)

    def terms(self) -> Terms:
        """What it takes to move the Safe now: chain, owners, threshold, nonce."""
        return self.state().terms(self.settings)

    def describe(self, calls: Sequence[Call]) -> tuple[Call, ...]:
        """
        The calls with words made from their bytes.

        Raises `OrderRejected` for a target or selector that is not listed, an argument outside its
        bounds, or an approval left standing (faults I6).
        """
        return self.allowed.described(calls)

    def propose(self, calls: Sequence[Call], *, deadline: datetime, nonce: int | None = None) -> SafeTx:
        """
        The Safe transaction that makes these calls in order and dies after `deadline`. Sends nothing.

        Its first inner call is the deadline; it is tried on the latest block before it is returned.

        Parameters
        ----------
        calls : in the order they happen
        deadline : aware, whole seconds, later than the chain's clock
        nonce : of the Safe; the next one if None. Two batches on one nonce exclude each other.

        Raises `OrderRejected`: not listed, code not the pinned one, deadline past, or it would revert.
        """
        self.describe(calls)
        self._in_time(deadline)
        data = encode_batch(calls, deadline=deadline, router=self.settings.router)
        transaction = safe_tx(
            chain_id=self.settings.chain_id,
            safe=self.settings.safe,
            to=self.settings.multi_send,
            value=0,
            data=data,
            operation=DELEGATECALL,
            nonce=self.state().nonce if nonce is None else nonce,
        )
        self._pinned(calls)
        try_batch(self.chain, transaction)
        return transaction

    def cancel(self, nonce: int) -> SafeTx:
        """The zero-value call of the Safe to itself that burns `nonce`; it has no deadline and can only burn."""
        return safe_tx(
            chain_id=self.settings.chain_id,
            safe=self.settings.safe,
            to=self.settings.safe,
            value=0,
            data=b"",
            operation=CALL,
            nonce=nonce,
        )

    def derive(self, transaction: SafeTx) -> Batch | None:
        """
        What a Safe transaction does, read back from its bytes alone; None for a cancel.

        Raises `PlanChanged` if its fields do not give its hash, `OrderRejected` for anything that is
        neither a listed batch through MultiSendCallOnly nor a cancel (faults I6, F60-F62).
        """
        if hex0x(rehash(transaction)) != transaction.hash:
            raise PlanChanged(
                f"Safe transaction {transaction.hash[:10]} refused",
                why="its fields do not give its hash",
                todo="make the plan again; sign nothing",
            )
        if transaction == self.cancel(transaction.nonce):
            return None
        settings = self.settings
        shape = transaction.chain_id, transaction.safe, transaction.to, transaction.value, transaction.operation
        if shape != (settings.chain_id, settings.safe, settings.multi_send, 0, DELEGATECALL):
            raise OrderRejected(
                f"Safe transaction {transaction.hash[:10]} refused",
                why="it is neither a batch of this Safe through the pinned MultiSendCallOnly nor a cancel",
                todo="sign nothing; make the plan again",
            )
        batch = decode_batch(transaction.data, router=settings.router)
        return Batch(batch.deadline, self.describe(batch.calls))

    def confirm(self, batch: VaultBatch) -> Batch:
        """
        The plan's batch, once its bytes say just what it shows (faults F60, F61).

        Raises `PlanChanged` if calls, words, deadline or cancel differ from what the bytes say.
        """
        said = self.derive(batch.transaction)
        same = said is not None and said.calls == batch.calls and said.deadline == batch.deadline
        if said is None or not same or batch.cancel != self.cancel(batch.transaction.nonce):
            raise PlanChanged(
                f"batch {batch.id} refused",
                why="its bytes do not say what the plan shows",
                todo="sign nothing; make the plan again",
            )
        return said

    def executed(self, transaction: SafeTx) -> Receipt | None:
        """The receipt in which this Safe transaction succeeded, whoever sent it (faults F20); else None."""
        logs = self.chain.logs(
            address=self.settings.safe,
            topics=[self.contract.topic("ExecutionSuccess"), transaction.hash],
            first=self.settings.since,
        )
        return self.chain.receipt(logs[-1]["transactionHash"]) if logs else None

    def execute(self, signed: SignedSafeTx) -> Receipt:
        """
        Send it and wait until it is final; asking twice acts once.

        Success is the Safe's own `ExecutionSuccess` of this very hash and nothing else: a status of 1
        is not (faults, "What matters" 2). If it already succeeded, sent by us or by anybody, that
        receipt is returned and nothing is sent.

        Raises
        ------
        PlanChanged, ThresholdNotMet, OrderRejected : refused before or on chain, nothing changed
        VenueUnavailable : nothing was sent
        OutcomeUnknown : sent, and neither outcome is final
        """
        transaction = signed.transaction
        executor = self._executor()
        if done := self.executed(transaction):
            return executor.finality(done.transaction_hash)
        refuse_strangers(self.chain, self.settings)
        batch = self.derive(transaction)
        check(signed, self.terms())
        if batch is not None:
            self._in_time(batch.deadline)
            self._pinned(batch.calls)
        data = self.calldata(signed)
        sender = executor.sender.address
        try:
            try_execution(self.chain, self.contract, data, sender=sender, transaction=transaction)
            receipt = executor.send(self.settings.safe, data)
        except OrderRejected:
            if done := self.executed(transaction):  # somebody else sent it meanwhile
                return executor.finality(done.transaction_hash)
            raise
        return self._outcome(transaction, receipt)

    def calldata(self, signed: SignedSafeTx) -> bytes:
        """`execTransaction` with every gas and refund field zero; anybody may send it."""
        tx = signed.transaction
        zeros = (0, 0, 0, ZERO_ADDRESS, ZERO_ADDRESS)
        return self.contract.encode(
            "execTransaction", tx.to, tx.value, tx.data, tx.operation, *zeros, signed.signatures
        )

    def _outcome(self, transaction: SafeTx, receipt: Receipt) -> Receipt:
        if receipt.status == 1:
            hashes = {name: self._logged(name, receipt) for name in ("ExecutionSuccess", "ExecutionFailure")}
            if transaction.hash in hashes["ExecutionSuccess"]:
                return receipt
            if transaction.hash not in hashes["ExecutionFailure"]:
                raise OutcomeUnknown(
                    f"Safe transaction {transaction.hash[:10]} left no word",
                    why=f"{receipt.transaction_hash} was mined without its ExecutionSuccess",
                    todo="run `hedge reconcile` before anything else",
                )
        elif done := self.executed(transaction):  # somebody else sent it first
            return self._executor().finality(done.transaction_hash)
        raise OrderRejected(
            f"Safe transaction {transaction.hash[:10]} failed on chain",
            why=f"{receipt.transaction_hash} {'reverted' if receipt.status == 0 else 'logged ExecutionFailure'}",
            todo="gas was spent, no position changed; make a new plan",
        )

    def _logged(self, name: str, receipt: Receipt) -> set[str]:
        return {hex0x(found["txHash"]) for found in events(self.contract, name, receipt)}

    def _pinned(self, calls: Sequence[Call]) -> None:
        targets = {call.to for call in calls} | {self.settings.multi_send, self.settings.router}
        check_pins(self.chain, targets, self.settings.pins)

    def _in_time(self, deadline: datetime) -> None:
        now = self.chain.block().at
        if now > deadline:
            raise OrderRejected(
                "batch is past its deadline",
                why=f"deadline {deadline.isoformat()}, chain's clock {now.isoformat()}",
                todo="make a new plan; cancel burns the old nonce",
            )

    def _executor(self) -> Executor:
        if self.executor is None:
            raise OrderRejected("nothing sent", why="this vault has no executor", todo="configure chain.executor")
        return self.executor
