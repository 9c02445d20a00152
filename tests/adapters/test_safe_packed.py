import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.wire import address
from adapters.safe.packed import Part, join, split
from engine.errors import OrderRejected

OWNER = address("0x" + "5a" * 20)
keys = st.builds(Part, st.binary(min_size=64, max_size=64).map(lambda raw: raw + b"\x1b"))
contracts = st.builds(Part, st.binary(max_size=200), st.binary(min_size=20, max_size=20).map(address))
parts = st.lists(keys | contracts, max_size=6).map(tuple)


@given(parts)
def test_what_was_joined_is_split(given_parts):
    assert split(join(given_parts)) == given_parts


def test_a_contract_signature_lies_where_check_n_signatures_looks():
    # Safe 1.4.1 docs, "Contract Signature": {32-byte owner}{32-byte offset}{0} ... {32-byte length}{bytes}
    key = bytes([7]) * 64 + b"\x1c"

    packed = join([Part(b"\xde\xad\xbe\xef", OWNER), Part(key)])

    head = "00" * 12 + "5a" * 20 + f"{130:064x}" + "00"
    assert packed.hex() == head + key.hex() + f"{4:064x}" + "deadbeef"


@pytest.mark.fault("F68")
class TestHostile:
    good = join([Part(b"\1\2", OWNER), Part(b"\3", OWNER), Part(bytes(64) + b"\x1b")])

    def refused(self, packed: bytes) -> None:
        with pytest.raises(OrderRejected, match="signatures refused"):
            split(packed)

    @pytest.mark.parametrize("offset", [0, 64, 65, 129, 194, 196, 10_000, 2**255])
    def test_a_tail_that_is_not_in_its_place(self, offset):
        self.refused(self.good[:32] + offset.to_bytes(32, "big") + self.good[64:])

    @pytest.mark.parametrize("length", [0, 1, 3, 2**255])
    def test_a_tail_of_another_length(self, length):
        self.refused(self.good[:195] + length.to_bytes(32, "big") + self.good[227:])

    def test_bytes_behind_the_last_tail(self):
        self.refused(self.good + b"\0")

    def test_dirt_before_an_owner(self):
        self.refused(b"\1" + self.good[1:])

    @pytest.mark.parametrize("kept", [1, 64, 66, 129])
    def test_a_part_of_a_signature(self, kept):
        self.refused(self.good[-65:] * 2 if kept == 0 else (self.good[130:195] * 2)[:kept])
