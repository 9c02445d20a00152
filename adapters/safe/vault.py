"""The Safe as a vault: proposes batches, re-derives what was signed, and is the only thing that sends."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.transactions import Executor
from adapters.evm.wire import Permit, hex0x
from adapters.safe.allow import AllowList
from adapters.safe.alternatives import Alternatives
from adapters.safe.contract_owners import ContractOwners
from adapters.safe.editions import EDITIONS
from adapters.safe.eip712 import rehash, safe_tx
from adapters.safe.history import executed_batches
from adapters.safe.multisend import Batch, decode_batch, encode_batch
from adapters.safe.outcome import proven, success
from adapters.safe.role_checks import hold, left
from adapters.safe.roles import Allowance, Role
from adapters.safe.signatures import Terms, check
from adapters.safe.simulation import Effects, execution, rehearse, try_execution
from adapters.safe.state import SafeSettings, SafeState, check_pins, read_state
from adapters.safe.strangers import refuse_foreign_role, refuse_strangers
from engine.errors import OrderRejected, PlanChanged
from engine.orders import Address, Call, SafeTx, VaultBatch
from engine.ports import Receipt, SignedSafeTx

CALL, DELEGATECALL = 0, 1


class SafeVault:
    """
    Carries out signed batches from one Safe 1.4.1 or 1.3.0 (port `engine.ports.Vault`).

    Parameters
    ----------
    chain : where the Safe is
    settings : the Safe as it was set up; a stranger in it refuses the start with `ConfigError`
    permits : every call that venues may ask for, with its words
    executor : who pays for gas; None for a vault that only proposes and checks
    role : the owners' call policy, held beside the permits; a call must pass both
    proposed : Safe transactions we know of, to read what others sent through contracts of theirs
    """

    def __init__(
        self,
        chain: Chain,
        settings: SafeSettings,
        permits: Iterable[Permit],
        executor: Executor | None = None,
        *,
        role: Role | None = None,
        proposed: Callable[[], Iterable[SafeTx]] = tuple,
    ) -> None:
        edition = EDITIONS[refuse_strangers(chain, settings).version]
        self.chain, self.settings, self.executor = chain, settings, executor
        self.allowed = AllowList(permits)
        self.role, self._proposed = role, proposed
        if role is not None:
            refuse_foreign_role(chain, settings, role)
        self.contract = Contract(settings.safe, edition.interface)

    @property
    def address(self) -> Address:
        """The Safe's address."""
        return self.settings.safe

    def state(self) -> SafeState:
        """Owners, threshold, nonce and the rest at the latest block."""
        return read_state(self.chain, self.settings.safe)

    def terms(self) -> Terms:
        """What it takes to move the Safe now: chain, owners, threshold, nonce, and which owners are contracts."""
        return self.state().terms(self.settings, self.contract_owners())

    def contract_owners(self) -> ContractOwners:
        """Which owners are contracts, as the chain has it now, and what they vouch for."""
        return ContractOwners(self.chain, self.settings.safe)

    def describe(self, calls: Sequence[Call]) -> tuple[Call, ...]:
        """
        The calls with words made from their bytes.

        Raises `OrderRejected` for a target or selector that is not listed, an argument outside its
        bounds, or an approval left standing (faults I6).
        """
        worded = self.allowed.described(calls)
        if self.role is not None:
            hold(self.role, self.allowed.interfaces, calls)
        return worded

    def allowances(self) -> Mapping[bytes, Allowance]:
        """What the call policy still lets go now, by key, after all that the Safe has executed."""
        role = self.role
        if role is None or not role.allowances:
            return {}
        first = datetime.fromtimestamp(min(each.timestamp for each in role.allowances.values()), UTC)
        spent = executed_batches(self.chain, self.contract, self.settings, first=first, known=self._proposed())
        return left(role, self.allowed.interfaces, spent, now=self.chain.block().at)

    def propose(self, calls: Sequence[Call], *, deadline: datetime, nonce: int | None = None) -> SafeTx:
        """
        The Safe transaction that makes these calls in order and dies after `deadline`. Sends nothing.

        Its first inner call is the deadline; it is rehearsed before it is returned.

        Parameters
        ----------
        calls : in the order they happen
        deadline : aware, whole seconds, later than the chain's clock
        nonce : of the Safe; the next one if None. Two batches on one nonce exclude each other.

        Raises `OrderRejected`: not listed, code not the pinned one, deadline past, or it would revert.
        """
        self.describe(calls)
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
        self.rehearse(transaction)
        return transaction

    def propose_alternatives(
        self, batches: Sequence[Sequence[Call]], *, deadline: datetime, nonce: int | None = None
    ) -> Alternatives:
        """
        Batches that exclude each other: all on one nonce, with one deadline, and the cancel that voids them.

        Each is listed, rehearsed and refused by itself as in `propose`. Raises `OrderRejected` if two are the
        same, since then one signature would be for both.
        """
        at = self.state().nonce if nonce is None else nonce
        proposed = tuple(self.propose(calls, deadline=deadline, nonce=at) for calls in batches)
        return Alternatives(proposed, self.cancel(at))

    def rehearse(self, transaction: SafeTx) -> Effects | None:
        """
        What the transaction would change if a quorum of today's owners signed it now; nothing is sent.

        For every signer, on a node or fork of its own, before its signature. None on a chain in this process.

        Raises `PlanChanged` or `OrderRejected`: not ours, not listed, past its deadline, code not the pinned
        one, it would revert (naming the call), or write the Safe's own storage beside the nonce.
        """
        batch = self.derive(transaction)
        if batch is not None:
            self._fit_now(batch)
        terms = self.terms()
        if transaction.nonce < terms.nonce:
            raise OrderRejected(
                f"Safe transaction {transaction.hash[:10]} refused",
                why=f"its nonce {transaction.nonce} is spent, the Safe is at {terms.nonce}",
                todo="make a new plan",
            )
        quorum = sorted(terms.owners)[: terms.threshold]
        return rehearse(self.chain, self.contract, transaction, quorum)

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
        return success(self.chain, self.contract, transaction, since=self.settings.since)

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
            self._fit_now(batch)
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
        return execution(self.contract, signed.transaction, signed.signatures)

    def _outcome(self, transaction: SafeTx, receipt: Receipt) -> Receipt:
        if receipt.status == 0 and (done := self.executed(transaction)):  # somebody else sent it first
            return self._executor().finality(done.transaction_hash)
        return proven(self.contract, transaction, receipt)

    def _fit_now(self, batch: Batch) -> None:
        """Refuse a batch that is late, calls changed code, or takes more than the policy's allowances have."""
        self._in_time(batch.deadline)
        targets = {call.to for call in batch.calls} | {self.settings.multi_send, self.settings.router}
        check_pins(self.chain, targets, self.settings.pins)
        if self.role is not None:
            hold(self.role, self.allowed.interfaces, batch.calls, self.allowances())

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
