from datetime import UTC, datetime

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.contract import Contract
from adapters.evm.wire import ZERO_ADDRESS, address
from adapters.safe.multisend import deadline_call, decode_batch, encode_batch
from contracts_abi import load
from engine.errors import OrderRejected
from engine.orders import Call

ROUTER, TARGET = address("0x" + "ab" * 20), address("0x" + "cd" * 20)
UNTIL = datetime(2025, 3, 3, 16, tzinfo=UTC)
calls = st.lists(
    st.builds(
        Call,
        st.binary(min_size=20, max_size=20).map(address),
        st.binary(max_size=120),
        st.integers(0, 2**256 - 1),
        st.just(""),
    ),
    min_size=1,
    max_size=6,
)


def wrapped(packed: bytes) -> bytes:
    return Contract(ZERO_ADDRESS, load("safe-multi-send-call-only-1.4.1")).encode("multiSend", packed)


def packed_call(call: Call, operation: int = 0) -> bytes:
    head = bytes([operation]) + bytes.fromhex(call.to[2:]) + call.value.to_bytes(32, "big")
    return head + len(call.data).to_bytes(32, "big") + call.data


@given(calls)
def test_what_was_encoded_is_decoded(batch):
    said = decode_batch(encode_batch(batch, deadline=UNTIL, router=ROUTER), router=ROUTER)

    assert said.calls == tuple(batch)
    assert said.deadline == UNTIL


@pytest.mark.fault("F62")
@given(st.data())
def test_what_is_decoded_has_no_other_bytes(data):
    call = Call(TARGET, b"\1\2\3\4", 5, "")
    good = encode_batch([call], deadline=UNTIL, router=ROUTER)
    at = data.draw(st.integers(0, len(good) - 1))
    bent = good[:at] + bytes([data.draw(st.integers(0, 255))]) + good[at + 1 :]

    try:
        said = decode_batch(bent, router=ROUTER)
    except OrderRejected:
        return

    assert encode_batch(said.calls, deadline=said.deadline, router=ROUTER) == bent


def test_the_first_call_is_the_deadline_with_nothing_in_it():
    call = deadline_call(ROUTER, UNTIL)

    assert call.to == ROUTER
    assert call.data == bytes.fromhex("5ae401dc") + encode(["uint256", "bytes[]"], [int(UNTIL.timestamp()), []])


@pytest.mark.parametrize("broken", [UNTIL.replace(tzinfo=None), UNTIL.replace(microsecond=1)])
def test_a_deadline_the_chain_cannot_hold_is_refused(broken):
    with pytest.raises(OrderRejected, match="whole seconds"):
        deadline_call(ROUTER, broken)


def test_a_batch_without_a_call_is_refused():
    with pytest.raises(OrderRejected, match="holds no call"):
        encode_batch([], deadline=UNTIL, router=ROUTER)


@pytest.mark.fault("F62")
class TestHostileBytes:
    good = Call(TARGET, b"\1\2\3\4", 0, "")

    def refused(self, data: bytes, match: str) -> None:
        with pytest.raises(OrderRejected, match=match):
            decode_batch(data, router=ROUTER)

    def test_bytes_after_the_end_are_refused(self):
        self.refused(encode_batch([self.good], deadline=UNTIL, router=ROUTER) + b"\0", "canonical")

    def test_a_shifted_offset_is_refused(self):
        packed = packed_call(deadline_call(ROUTER, UNTIL)) + packed_call(self.good)
        shifted = (
            (64).to_bytes(32, "big") + bytes(32) + len(packed).to_bytes(32, "big") + packed + bytes(-len(packed) % 32)
        )

        self.refused(bytes.fromhex("8d80ff0a") + shifted, "refused")

    def test_dirty_padding_is_refused(self):
        data = encode_batch([self.good], deadline=UNTIL, router=ROUTER)

        self.refused(data[:-1] + b"\1", "refused")

    def test_a_hidden_delegatecall_is_refused(self):
        packed = packed_call(deadline_call(ROUTER, UNTIL)) + packed_call(self.good, operation=1)

        self.refused(wrapped(packed), "delegatecall")

    def test_a_batch_without_its_deadline_is_refused(self):
        self.refused(wrapped(packed_call(self.good) * 2), "not the deadline")

    def test_a_deadline_on_another_router_is_refused(self):
        self.refused(wrapped(packed_call(deadline_call(TARGET, UNTIL)) + packed_call(self.good)), "not the deadline")

    def test_a_deadline_that_carries_calls_is_refused(self):
        smuggled = Contract(ROUTER, load("uniswap-swap-router-02")).encode(
            "multicall(uint256,bytes[])", int(UNTIL.timestamp()), [b"\1\2\3\4"]
        )

        self.refused(wrapped(packed_call(Call(ROUTER, smuggled, 0, "")) + packed_call(self.good)), "calls of its own")

    def test_a_deadline_beyond_any_date_is_refused(self):
        never = Contract(ROUTER, load("uniswap-swap-router-02")).encode("multicall(uint256,bytes[])", 2**255, [])

        self.refused(wrapped(packed_call(Call(ROUTER, never, 0, "")) + packed_call(self.good)), "no date")

    @pytest.mark.parametrize("cut", [1, 60, 90])
    def test_a_batch_cut_short_is_refused(self, cut):
        packed = packed_call(deadline_call(ROUTER, UNTIL)) + packed_call(self.good)

        self.refused(wrapped(packed[:-cut]), "ends within|not the deadline")

    def test_another_function_is_refused(self):
        self.refused(b"\1\2\3\4" + bytes(64), "refused")
