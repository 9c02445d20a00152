"""Sending under faults of the node and of the chain: nothing acts twice, nothing is called done too early."""

import time
from collections.abc import Iterator, Sequence

import pytest

from adapters.evm.chain import Chain
from adapters.evm.rpc import Reply
from adapters.evm.transactions import Executor, GasPolicy
from adapters.safe.vault import SafeVault
from engine.errors import OrderRejected, OutcomeUnknown, VenueUnavailable
from tests.chain.vault_stage import WETH, Stage, owner, stage, supply

pytestmark = [pytest.mark.chain]
SEND = "eth_sendRawTransaction"


class FaultyNode:
    """The real node behind a wire that loses what the test says it loses."""

    def __init__(self, node) -> None:
        self.node, self.name, self.can_fork = node, node.name, node.can_fork
        self.finality_depth, self.takes_overrides = node.finality_depth, node.takes_overrides
        self.lose_reply = self.lose_request = False
        self.sent: list[str] = []

    def ask(self, method: str, params: Sequence[object]) -> Reply:
        if method != SEND:
            return self.node.ask(method, params)
        self.sent.append(str(params[0]))
        if self.lose_request:
            raise OutcomeUnknown("lost", why="time-out", todo="look it up")
        reply = self.node.ask(method, params)
        if self.lose_reply:
            raise OutcomeUnknown("lost", why="time-out", todo="look it up")
        return reply

    def ask_many(self, requests):
        return self.node.ask_many(requests)

    def close(self) -> None:
        """The stage closes the real one."""


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    """The stage behind a faulty wire, mining by itself, put back afterwards."""
    snapshot = built.chain.snapshot()
    built.remembered.clear()
    yield built
    built.chain.request("anvil_dropAllTransactions")  # going back leaves the pending ones
    built.chain.request("evm_setAutomine", True)
    built.chain.revert(snapshot)


@pytest.fixture
def wire(s) -> FaultyNode:
    return FaultyNode(s.chain.node)


@pytest.fixture
def vault(s, wire) -> SafeVault:
    chain = Chain(wire)
    policy = GasPolicy(wait_seconds=0.5)
    return SafeVault(
        chain, s.settings, s.permits, Executor(chain, owner(4), remember=s.remember, policy=policy, local=True)
    )


def signed(s: Stage):
    return s.sign(s.vault.propose(s.cheap.calls(supply("aave-cheap", WETH, "1")), deadline=s.deadline()))


@pytest.mark.fault("F19")
def test_a_reply_lost_after_broadcast_is_looked_up_and_not_sent_again(s, wire, vault):
    wire.lose_reply = True

    receipt = vault.execute(signed(s))

    assert receipt.final
    assert len(wire.sent) == 1
    assert vault.state().nonce == 1


@pytest.mark.fault("F19")
def test_a_request_lost_on_the_way_is_unknown_and_the_same_bytes_settle_it(s, wire, vault):
    wire.lose_request = True
    with pytest.raises(OutcomeUnknown, match="may be in"):
        vault.execute(signed(s))
    wire.lose_request = False
    (_, raw) = s.remembered[0]

    receipt = vault.executor.settle(raw)
    again = vault.executor.settle(raw)

    assert again == receipt
    assert wire.sent == ["0x" + raw.hex()] * 2
    assert vault.state().nonce == 1


@pytest.mark.fault("F23")
def test_an_evicted_transaction_is_sent_again_as_the_same_bytes(s, wire, vault):
    s.chain.request("evm_setAutomine", False)
    with pytest.raises(OutcomeUnknown, match="not final"):
        vault.execute(signed(s))
    (name, raw) = s.remembered[0]
    s.chain.request("anvil_dropTransaction", name)
    s.chain.request("evm_setAutomine", True)

    receipt = vault.executor.settle(raw)

    assert receipt.transaction_hash == name
    assert set(wire.sent) == {"0x" + raw.hex()}


@pytest.mark.fault("F55")
def test_while_one_is_pending_no_other_is_sent(s, wire, vault):
    s.chain.request("evm_setAutomine", False)
    asked = signed(s)
    with pytest.raises(OutcomeUnknown):
        vault.execute(asked)

    with pytest.raises(VenueUnavailable, match="still pending"):
        vault.execute(asked)
    assert len(wire.sent) == 1


@pytest.mark.fault("F24")
def test_a_batch_that_a_reorganisation_dropped_is_not_final_and_can_be_sent_again(s, wire, vault):
    asked = signed(s)
    data = vault.calldata(asked)
    raw = owner(4).sign_native(vault.executor._transaction(s.holder.safe, data))
    s.chain.send_raw(raw)
    until = time.monotonic() + 5.0
    while (mined := vault.executed(asked.transaction)) is None and time.monotonic() < until:
        time.sleep(0.01)
    assert mined is not None
    assert not mined.final
    s.chain.request("anvil_reorg", 1, [])
    assert vault.executed(asked.transaction) is None

    receipt = vault.executor.settle(raw)

    assert receipt.final
    assert vault.executed(asked.transaction) == receipt


def test_what_a_node_refuses_is_rejected_and_was_remembered(s, vault):
    class Poor(Executor):
        def _fee(self, base_fee_wei: int) -> int:
            return 1

    executor = Poor(vault.chain, owner(4), remember=s.remember, policy=GasPolicy(wait_seconds=0.5), local=True)

    with pytest.raises(OrderRejected, match="base fee"):
        SafeVault(vault.chain, s.settings, s.permits, executor).execute(signed(s))
    assert len(s.remembered) == 1


def test_a_vault_without_an_executor_sends_nothing(s):
    watcher = SafeVault(s.chain, s.settings, s.permits)

    with pytest.raises(OrderRejected, match="no executor"):
        watcher.execute(signed(s))


def test_the_gas_limit_leaves_room_above_the_estimate(s, vault):
    data = vault.calldata(signed(s))
    estimate = s.chain.estimate_gas(s.holder.safe, data, sender=owner(4).address)

    assert vault.executor._transaction(s.holder.safe, data)["gas"] == estimate * 13 // 10
