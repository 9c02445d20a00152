"""Native transactions against `eth_account`: the same bytes; and refused where the terms are not those of EIP-1559."""

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.finality import attempt
from adapters.safe.keystore import from_secret
from engine.errors import InputError

KEY, SECRET = from_secret(b"\x11" * 32), b"\x11" * 32
WORD = st.integers(0, 2**64)
TERMS = {
    "type": 2, "chainId": 10, "nonce": 0, "to": KEY.address, "value": 0, "data": "0x", "gas": 21_000,
    "maxFeePerGas": 1, "maxPriorityFeePerGas": 1,
}  # fmt: skip


@given(nonce=WORD, value=st.integers(0, 2**200), gas=WORD, tip=WORD, more=WORD, data=st.binary(max_size=80))
def test_the_bytes_are_those_of_eth_account_and_are_read_back(nonce, value, gas, tip, more, data):
    terms = {**TERMS, "nonce": nonce, "value": value, "gas": gas, "data": "0x" + data.hex()}
    terms |= {"maxPriorityFeePerGas": tip, "maxFeePerGas": tip + more}

    raw = KEY.sign_native(terms)

    assert raw == bytes(Account.sign_transaction(terms, SECRET).raw_transaction)
    said = attempt(raw)
    assert (said.nonce, said.gas, said.data, said.to) == (nonce, gas, data, KEY.address)
    assert (said.fees.tip_wei, said.fees.max_fee_wei) == (tip, tip + more)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": 0}, {"type": None}, {"to": "0x11"}, {"to": None}, {"value": -1}, {"nonce": True}, {"gas": "0x5208"},
        {"data": b"\1"}, {"data": "0xz"}, {"accessList": []}, {"from": KEY.address},
    ],
)  # fmt: skip
def test_other_terms_are_refused(wrong):
    with pytest.raises(InputError, match="native transaction refused"):
        KEY.sign_native({**TERMS, **wrong})


def test_a_term_left_out_is_refused():
    with pytest.raises(InputError, match="native transaction refused"):
        KEY.sign_native({name: term for name, term in TERMS.items() if name != "maxFeePerGas"})
