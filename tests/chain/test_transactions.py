"""The executor against the chain's own misfortunes: stuck, replaced, evicted, reorganised, overtaken, halted."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from adapters.evm.anvil import AnvilNode, start_anvil
from adapters.evm.chain import Chain
from adapters.evm.deploy_builder import account
from adapters.evm.fees import GasBudgetExceeded
from adapters.evm.finality import attempt
from adapters.evm.rpc import Reply
from adapters.evm.transactions import Executor, GasPolicy, NonceTaken
from adapters.safe.keystore import from_secret
from engine.entries import EntryStatus
from engine.errors import ChainMismatch, ConfigError, OrderRejected, OutcomeUnknown, VenueUnavailable
from engine.orders import Address

pytestmark = pytest.mark.chain
SEND = "eth_sendRawTransaction"
THERE = Address(account(7).address)
PAYER = from_secret(bytes(account(6).key))
STRANGER = from_secret(bytes(account(8).key))
QUICK = GasPolicy(wait_seconds=0.6, patience_seconds=0.05)


class Wire:
    """The real node; a test says what happens just before and just after each send."""

    def __init__(self, node) -> None:
        self.node, self.name, self.can_fork, self.finality_depth = node, node.name, node.can_fork, node.finality_depth
        self.limits, self.takes_overrides = node.limits, node.takes_overrides
        self.before: Callable[[int], None] = lambda count: None
        self.after: Callable[[int], None] = lambda count: None
        self.sent: list[bytes] = []

    def ask(self, method: str, params: Sequence[object]) -> Reply:
        if method != SEND:
            return self.node.ask(method, params)
        self.sent.append(bytes.fromhex(str(params[0])[2:]))
        self.before(len(self.sent))
        reply = self.node.ask(method, params)
        self.after(len(self.sent))
        return reply

    def ask_many(self, requests):
        return self.node.ask_many(requests)

    def close(self) -> None:
        """The fixture closes the real one."""


@pytest.fixture
def anvil(fetched_packages) -> Iterator[Chain]:
    """A chain of its own for each test: going back to a snapshot leaves the base fee where it was."""
    with start_anvil() as chain:
        chain.mine(5)
        yield chain


@pytest.fixture
def wire(anvil) -> Wire:
    return Wire(anvil.node)


@pytest.fixture
def remembered() -> list[bytes]:
    return []


@pytest.fixture
def executor(wire, remembered) -> Executor:
    return Executor(Chain(wire), PAYER, remember=lambda _, raw: remembered.append(raw), policy=QUICK, local=True)


def signed(chain: Chain, nonce: int, *, value: int = 1, fee: int = 10**10, key=PAYER) -> bytes:
    terms = {"type": 2, "chainId": chain.chain_id, "nonce": nonce, "to": THERE, "value": value, "data": "0x"}
    return key.sign_native({**terms, "gas": 21_000, "maxFeePerGas": fee, "maxPriorityFeePerGas": 10**9})


def stop_mining(chain: Chain) -> None:
    chain.request("evm_setAutomine", False)


@pytest.mark.fault("F22")
class TestReplacement:
    def test_a_stuck_transaction_is_replaced_at_an_eighth_more_and_acts_once(self, wire, executor, remembered):
        chain = executor.chain
        stop_mining(chain)
        wire.after = lambda count: chain.mine() if count == 2 else None
        start = chain.nonce(PAYER.address)

        receipt = executor.send(THERE, b"")

        first, second = map(attempt, remembered)
        assert wire.sent == remembered
        assert receipt.transaction_hash == second.hash
        assert (first.nonce, second.nonce, chain.nonce(PAYER.address)) == (start, start, start + 1)
        assert 8 * second.fees.max_fee_wei >= 9 * first.fees.max_fee_wei
        assert 8 * second.fees.tip_wei >= 9 * first.fees.tip_wei
        assert chain.receipt(first.hash) is None

    def test_the_first_one_may_still_be_the_one_that_is_mined(self, wire, executor, remembered):
        chain = executor.chain
        stop_mining(chain)
        wire.before = lambda count: chain.mine() if count == 2 else None

        receipt = executor.send(THERE, b"")

        assert len(remembered) == 2
        assert receipt.transaction_hash == attempt(remembered[0]).hash
        (stands,) = executor.standings(remembered)
        assert (stands.status, stands.hashes) == (EntryStatus.FINAL, tuple(attempt(raw).hash for raw in remembered))
        assert stands.gas_wei == receipt.gas_used * receipt.gas_price_wei > 0

    def test_nobody_pays_more_than_the_budget_for_impatience(self, wire, executor):
        stop_mining(executor.chain)
        executor.policy = replace(QUICK, budget_wei=30_000 * (2 * executor.chain.block().base_fee_wei + 10**9))

        with pytest.raises(OutcomeUnknown, match="not mined in time; gas is over its budget"):
            executor.send(THERE, b"")
        assert len(wire.sent) == 1

    @pytest.mark.fault("F47")
    def test_a_budget_that_no_block_takes_sends_nothing(self, wire, executor, remembered):
        executor.policy = replace(QUICK, budget_wei=21_000)

        with pytest.raises(GasBudgetExceeded, match="ether allowed") as refused:
            executor.send(THERE, b"")
        assert refused.value.allowed_wei == 21_000
        assert wire.sent == remembered == []


@pytest.mark.fault("F23")
class TestEviction:
    def test_the_same_bytes_go_out_again(self, wire, executor, remembered):
        chain = executor.chain
        stop_mining(chain)

        def after(count: int) -> None:
            chain.request("anvil_dropAllTransactions") if count == 1 else chain.mine()

        wire.after = after
        executor.policy = replace(QUICK, patience_seconds=9.0)

        receipt = executor.send(THERE, b"")

        assert wire.sent == remembered * 2
        assert receipt.transaction_hash == attempt(remembered[0]).hash

    def test_after_a_rise_of_the_base_fee_the_same_call_goes_out_dearer(self, wire, executor, remembered):
        chain = executor.chain
        stop_mining(chain)

        def after(count: int) -> None:
            if count == 1:
                chain.request("anvil_dropAllTransactions")
                chain.request("anvil_setNextBlockBaseFeePerGas", hex(20 * 10**9))
                chain.mine()
                chain.request("anvil_setNextBlockBaseFeePerGas", hex(20 * 10**9))
            elif count == 3:
                chain.mine()

        wire.after = after
        executor.policy = replace(QUICK, patience_seconds=9.0)

        receipt = executor.send(THERE, b"")

        assert wire.sent[0] == wire.sent[1] == remembered[0]
        assert receipt.transaction_hash == attempt(remembered[1]).hash
        assert attempt(remembered[1]).nonce == attempt(remembered[0]).nonce

    def test_a_rise_beyond_the_budget_is_told(self, wire, executor, remembered):
        chain = executor.chain
        stop_mining(chain)

        def after(count: int) -> None:
            if count == 1:
                chain.request("anvil_dropAllTransactions")
                chain.request("anvil_setNextBlockBaseFeePerGas", hex(900 * 10**9))
                chain.mine()

        wire.after = after
        executor.policy = replace(QUICK, patience_seconds=9.0)

        with pytest.raises(OutcomeUnknown, match=r"no more; gas is over its budget: .* 500 gwei allowed"):
            executor.send(THERE, b"")
        assert len(remembered) == 1


@pytest.mark.fault("F24")
class TestReorganisation:
    @pytest.mark.parametrize("depth", [1, 2])
    def test_what_it_drops_is_in_flight_again_and_recovered_as_the_same_bytes(self, wire, executor, depth):
        chain = executor.chain
        raw = signed(chain, chain.nonce(PAYER.address))
        chain.send_raw(raw)
        chain.mined(attempt(raw).hash)
        chain.mine(depth - 1)
        (mined,) = executor.standings([raw])
        chain.request("anvil_reorg", depth, [])

        (dropped,) = executor.standings([raw])
        executor.recover([raw])
        chain.mined(attempt(raw).hash)
        chain.mine_to_final()
        (final,) = executor.standings([raw])

        assert [mined.status, dropped.status, final.status] == [
            EntryStatus.IN_FLIGHT,
            EntryStatus.IN_FLIGHT,
            EntryStatus.FINAL,
        ]
        assert (mined.receipt is None, dropped.receipt is None, dropped.gas_wei) == (False, True, 0)
        assert wire.sent == [raw, raw]

    @pytest.mark.fault("F25")
    def test_another_transaction_on_its_nonce_voids_it_only_once_that_is_final(self, executor):
        chain = executor.chain
        nonce = chain.nonce(PAYER.address)
        raw, other = signed(chain, nonce), signed(chain, nonce, value=2)
        chain.send_raw(raw)
        chain.mined(attempt(raw).hash)
        chain.request("anvil_reorg", 1, [["0x" + other.hex(), 0]])

        (early,) = executor.standings([raw])
        with pytest.raises(NonceTaken, match="used by another transaction, finally") as taken:
            executor.settle(raw)
        (late,) = executor.standings([raw])

        assert (early.status, late.status) == (EntryStatus.IN_FLIGHT, EntryStatus.VOID)
        assert "can still go" in early.why
        assert taken.value.standing == late
        assert late.gas_wei == 0

    def test_one_that_was_mined_again_elsewhere_is_final_there(self, executor):
        chain = executor.chain
        raw = signed(chain, chain.nonce(PAYER.address))
        chain.send_raw(raw)
        before = chain.mined(attempt(raw).hash)
        chain.mine()
        chain.request("anvil_reorg", 2, [["0x" + raw.hex(), 1]])

        receipt = executor.settle(raw)

        assert receipt.final
        assert (receipt.block, receipt.transaction_hash) == (before.block + 1, before.transaction_hash)


@pytest.mark.fault("F21")
class TestNonceGap:
    def test_a_transaction_behind_a_gap_is_found_and_the_gap_is_filled(self, executor, remembered):
        chain = executor.chain
        nonce = chain.nonce(PAYER.address)
        raw = signed(chain, nonce + 2)
        chain.send_raw(raw)
        assert chain.nonce(PAYER.address, block="pending") == nonce

        stands = executor.recover([raw])
        chain.mined(attempt(raw).hash)
        chain.mine_to_final()

        assert [each.nonce for each in stands] == [nonce, nonce + 1, nonce + 2]
        assert [attempt(each).nonce for each in remembered] == [nonce, nonce + 1]
        assert {each.status for each in executor.standings([raw, *remembered])} == {EntryStatus.FINAL}

    def test_while_one_waits_behind_a_gap_nothing_new_is_sent(self, wire, remembered):
        chain = Chain(wire)
        raw = signed(chain, chain.nonce(PAYER.address) + 1)
        executor = Executor(chain, PAYER, remember=lambda *_: None, policy=QUICK, outstanding=lambda: [raw])

        with pytest.raises(VenueUnavailable, match="executor is busy"):
            executor.send(THERE, b"")
        assert wire.sent == []

    def test_another_chains_transaction_is_not_recovered(self, executor):
        raw = PAYER.sign_native(
            {"type": 2, "chainId": 1, "nonce": 0, "to": THERE, "value": 0, "data": "0x", "gas": 21_000,
             "maxFeePerGas": 1, "maxPriorityFeePerGas": 1}
        )  # fmt: skip

        with pytest.raises(OrderRejected, match="it is for chain 1"):
            executor.recover([raw])


def test_while_one_we_do_not_remember_is_pending_nothing_new_is_sent(wire, executor, remembered):
    stop_mining(executor.chain)
    executor.chain.send_raw(signed(executor.chain, executor.chain.nonce(PAYER.address)))

    with pytest.raises(VenueUnavailable, match="executor is busy"):
        executor.send(THERE, b"")
    assert (len(wire.sent), remembered) == (1, [])


@pytest.mark.parametrize("method", ["eth_getTransactionReceipt", "eth_getBlockByNumber"])
def test_a_node_that_talks_nonsense_after_a_send_leaves_its_outcome_unknown(wire, executor, remembered, method):
    def nonsense(_: int) -> None:
        ask = wire.ask_many
        wire.ask_many = lambda asked: [
            {"result": {"number": "-0x1"}} if name == method else reply
            for (name, _), reply in zip(asked, ask(asked), strict=True)
        ]

    wire.after = nonsense

    with pytest.raises(OutcomeUnknown, match="may be in: the node's reply is not readable"):
        executor.send(THERE, b"")
    assert wire.sent == remembered


@pytest.mark.fault("F55")
def test_a_halted_node_is_told_in_time_and_nothing_is_sent(fetched_packages):
    with start_anvil(timeout=0.3) as chain:
        remembered: list[bytes] = []
        executor = Executor(chain, PAYER, remember=lambda _, raw: remembered.append(raw), policy=QUICK)
        assert isinstance(chain.node, AnvilNode)
        os.kill(chain.node.process.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            with pytest.raises(VenueUnavailable, match="too slow"):
                executor.send(THERE, b"")
        finally:
            os.kill(chain.node.process.pid, signal.SIGCONT)

        assert time.monotonic() - began < 2.0
        assert remembered == []


@pytest.mark.fault("F57")
def test_another_chain_or_another_history_is_refused_at_start(anvil):
    node = Wire(anvil.node)
    genesis = anvil.block(0).hash

    Chain(node, expected_chain_id=anvil.chain_id, anchor=(0, genesis))
    with pytest.raises(ChainMismatch):
        Chain(node, expected_chain_id=1)
    with pytest.raises(ConfigError, match="another history"):
        Chain(node, expected_chain_id=anvil.chain_id, anchor=(0, "0x" + "11" * 32))
