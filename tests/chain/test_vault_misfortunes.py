"""What the published Safe and a real node really do in the faults a vault must tell apart, and what ours says to it."""

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from adapters.evm.anvil import AnvilNode
from adapters.evm.chain import Chain, Reverted, connect
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.http_node import HttpNode
from adapters.evm.proof import proven
from adapters.evm.transactions import Executor, GasPolicy
from adapters.evm.wire import ZERO_ADDRESS, hex0x
from adapters.safe import outcome
from adapters.safe.detached import Sheet
from adapters.safe.eip712 import safe_tx
from adapters.safe.multisend import encode_batch
from adapters.safe.outstanding import outstanding
from adapters.safe.signatures import sign_transaction
from adapters.safe.vault import SafeVault
from engine.errors import EngineError, OrderRejected, ThresholdNotMet, VenueError
from engine.orders import Call, SafeTx
from engine.ports import SignedSafeTx
from tests.chain.vault_stage import AT, WETH, Stage, owner, stage, supply

pytestmark = [pytest.mark.chain]
NOBODY = account(7).address


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    snapshot = built.chain.snapshot()
    built.remembered.clear()
    yield built
    built.chain.revert(snapshot)


class Wire:
    """A wire to the node that loses the answer to each broadcast: by a reset, or by silence until nobody waits."""

    def __init__(self, url: str, *, silence: float | None) -> None:
        wire, node = self, HttpNode(url)
        self.sends, self.node = 0, node

        class Forwarding(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                question = self.rfile.read(int(self.headers["Content-Length"]))
                answer = json.dumps(node._read(question)).encode()
                if b"eth_sendRawTransaction" in question:
                    wire.sends += 1
                    if silence is None:
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    else:
                        time.sleep(silence)
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def finish(self) -> None:
                try:
                    super().finish()
                except (OSError, ValueError):
                    return

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Forwarding)
        self.server.daemon_threads, self.server.block_on_close = True, False
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.node.close()


@pytest.mark.fault("F19")
@pytest.mark.parametrize("silence", [None, 2.0], ids=["reset", "time-out"])
def test_over_a_wire_that_loses_the_answer_one_broadcast_is_one_execution(s, silence):
    signed = s.sign(s.small())
    assert isinstance(s.chain.node, AnvilNode)
    wire = Wire(s.chain.node.url, silence=silence)
    node = HttpNode(wire.url, timeout=0.5, finality_depth=2)
    try:
        with Chain(node) as chain:
            executor = Executor(chain, owner(4), remember=s.remember, policy=GasPolicy(wait_seconds=5.0), local=True)
            receipt = SafeVault(chain, s.settings, s.permits, executor).execute(signed)
    finally:
        wire.close()

    assert receipt.final
    assert (wire.sends, len(s.remembered)) == (1, 1)
    assert s.vault.state().nonce == 1
    assert s.vault.executed(signed.transaction) == receipt


@pytest.mark.fault("F27")
def test_a_call_that_fails_under_gas_of_its_own_mines_as_success_and_is_believed_to_be_none(s):
    ours, revert = (
        s.sign(s.small()),
        s.cheap.pool.contract.encode("borrow", s.world["USDC"], 10**20, 2, 0, s.holder.safe),
    )
    fields = (s.world["aave-cheap-pool"], 0, revert, 0, 500_000, 0, 0, ZERO_ADDRESS, ZERO_ADDRESS)
    digest = s.safe.read(s.chain, "getTransactionHash", *fields, 0)
    keys = sorted((owner(1), owner(2)), key=lambda key: int(key.address, 16))
    data = s.safe.encode("execTransaction", *fields, b"".join(key.sign(digest) for key in keys))

    logs = Builder(s.chain, account(5)).send_data(s.holder.safe, data)
    receipt = s.chain.mined(str(logs[0]["transactionHash"]))

    assert (receipt.status, s.vault.state().nonce) == (1, 1)
    assert [event["txHash"] for event in s.safe.events("ExecutionFailure", receipt.logs)] == [digest]
    assert s.holder.execution(receipt) is None
    assert list(s.holder.failures(receipt).values()) == [hex0x(digest)]
    claimed = replace(ours.transaction, hash=hex0x(digest))
    with pytest.raises(OrderRejected, match="logged ExecutionFailure"):
        outcome.proven(s.vault.contract, claimed, receipt)
    assert s.cheap.read(supply("aave-cheap", WETH, "1"), receipt) == ()
    with pytest.raises(OrderRejected, match="nonce 0, the Safe is at 1"):
        s.vault.execute(ours)
    assert s.remembered == []


@pytest.mark.fault("F28")
def test_a_batch_to_nobody_succeeds_on_chain_and_is_refused_before_and_after(s):
    asked = supply("aave-cheap", WETH, "1")
    calls = [replace(call, to=NOBODY) for call in s.cheap.calls(asked)]
    data = encode_batch(calls, deadline=s.deadline(), router=s.settings.router)
    safe, to = s.holder.safe, s.settings.multi_send
    idle = safe_tx(chain_id=s.chain.chain_id, safe=safe, to=to, value=0, data=data, operation=1, nonce=0)
    with pytest.raises(OrderRejected, match="not on the list"):
        s.vault.execute(s.sign(idle))

    s.as_stranger(s.sign(idle))

    receipt = s.vault.executed(idle)
    assert receipt is not None
    assert (receipt.status, s.holder.execution(receipt), s.vault.state().nonce) == (1, idle.hash, 1)
    assert s.cheap.read(asked, receipt) == ()
    done = s.vault.execute(s.sign(s.small(nonce=1)))
    (fill,) = s.cheap.read(asked, done)
    with pytest.raises(VenueError, match="WETH moved 0, its fills say -1000000000000000000"):
        proven(s.chain, s.holder, idle.hash, receipt, [fill], list(s.tokens.values()))


@pytest.mark.fault("F29")
def test_out_of_turn_nothing_is_sent_and_a_nonce_taken_by_another_voids_the_old_signatures(s):
    first, rival, later = s.small(), s.small("2"), s.small("3", nonce=1)
    sheets = [
        Sheet(s.chain.chain_id, s.holder.safe, owner(i).address, AT, {
            tx.hash: hex0x(sign_transaction(tx, owner(i))) for tx in (first, later)
        })
        for i in (1, 2)
    ]  # fmt: skip
    with pytest.raises(OrderRejected, match="nonce 1, the Safe is at 0"):
        s.vault.execute(s.sign(later))
    assert [each.nonce for each in outstanding(s.vault, [first, later], sheets)] == [0, 1]

    s.as_stranger(s.sign(rival))

    with pytest.raises(OrderRejected, match="nonce 0, the Safe is at 1"):
        s.vault.execute(s.sign(first))
    assert [each.nonce for each in outstanding(s.vault, [first, later], sheets)] == [1]
    assert s.remembered == []
    assert s.vault.propose(s.cheap.calls(supply("aave-cheap", WETH, "1")), deadline=s.deadline()).nonce == 1


@pytest.mark.fault("F47")
def test_while_gas_costs_ten_times_its_budget_nothing_is_sent_and_later_the_same_signatures_serve(s):
    signed, base = s.sign(s.small()), s.chain.block().base_fee_wei
    policy = GasPolicy(max_fee_wei=4 * base + 2 * 10**9)
    executor = Executor(s.chain, owner(4), remember=s.remember, policy=policy, local=True)
    vault = SafeVault(s.chain, s.settings, s.permits, executor)
    s.chain.request("anvil_setNextBlockBaseFeePerGas", hex(10 * policy.max_fee_wei))
    s.chain.mine()

    with pytest.raises(OrderRejected, match="gas is over its budget"):
        vault.execute(signed)
    assert s.remembered == []
    assert s.vault.state().nonce == 0

    s.chain.request("anvil_setNextBlockBaseFeePerGas", hex(base))
    s.chain.mine()
    assert vault.execute(signed).final


SHAPES = {
    "unsorted": ("GS026", "not sorted"),
    "twice": ("GS026", "not sorted"),
    "stranger": ("GS026", "not an owner"),
    "one": ("GS020", "1 of 2"),
    "another Safe's": ("GS026", "not an owner"),
    "another chain's": ("GS026", "not an owner"),
    "another nonce's": ("GS026", "not an owner"),
    "another operation's": ("GS026", "not an owner"),
}


@pytest.mark.fault("F68")
@pytest.mark.parametrize("shape", SHAPES)
def test_signatures_that_the_safe_refuses_are_refused_before_gas_is_spent(s, shape):
    tx = s.small()
    there, here = SHAPES[shape]
    low, high = sorted((owner(1), owner(2)), key=lambda key: int(key.address, 16))
    keys = {
        "unsorted": (high, low),
        "twice": (low, low),
        "stranger": sorted((low, owner(8)), key=lambda key: int(key.address, 16)),
        "one": (low,),
    }.get(shape, (low, high))
    raw = b"".join(sign_transaction(meant(tx, shape), key) for key in keys)

    with pytest.raises((OrderRejected, ThresholdNotMet), match=here):
        s.vault.execute(SignedSafeTx(tx, raw))
    assert s.remembered == []
    with pytest.raises(Reverted, match=there):
        s.as_stranger(SignedSafeTx(tx, raw))
    assert s.vault.state().nonce == 0


def meant(tx: SafeTx, shape: str) -> SafeTx:
    """The transaction that was really signed."""
    said = {"chain_id": tx.chain_id, "safe": tx.safe, "operation": tx.operation, "nonce": tx.nonce}
    said |= {
        "another Safe's": {"safe": NOBODY},
        "another chain's": {"chain_id": 1},
        "another nonce's": {"nonce": 5},
        "another operation's": {"operation": 0},
    }.get(shape, {})
    return safe_tx(to=tx.to, value=tx.value, data=tx.data, **said)


@pytest.mark.fault("F61")
@pytest.mark.fault("F62")
def test_ether_that_leaves_with_a_call_is_refused_however_it_is_described(s):
    Builder(s.chain, account(5)).send_data(s.holder.safe, b"", value=10**18)
    good = s.cheap.calls(supply("aave-cheap", WETH, "1"))
    for hidden in (Call(NOBODY, b"", 10**18, "supply 1 WETH to aave-cheap"), replace(good[1], value=10**18)):
        data = encode_batch([good[0], hidden, good[2]], deadline=s.deadline(), router=s.settings.router)
        safe, to = s.holder.safe, s.settings.multi_send
        tx = safe_tx(chain_id=s.chain.chain_id, safe=safe, to=to, value=0, data=data, operation=1, nonce=0)

        with pytest.raises(EngineError, match=r"sends 1000000000000000000 wei|not on the list"):
            s.vault.execute(s.sign(tx))

    assert s.chain.balance(s.holder.safe) == 10**18
    assert s.remembered == []


@pytest.mark.fault("F56")
def test_through_several_endpoints_that_agree_a_batch_is_rehearsed_whole_and_carried_out(s):
    assert isinstance(s.chain.node, AnvilNode)
    url = s.chain.node.url
    with connect(f"{url} {url}") as both:
        executor = Executor(both, owner(4), remember=s.remember, policy=GasPolicy(wait_seconds=5.0), local=True)
        vault = SafeVault(both, s.settings, s.permits, executor)
        signed = s.sign(s.small())

        effects = vault.rehearse(signed.transaction)
        receipt = vault.execute(signed)

    assert effects is not None
    assert effects.slots == {5}
    assert (receipt.final, s.vault.state().nonce, len(s.remembered)) == (True, 1, 1)
