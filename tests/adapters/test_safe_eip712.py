from dataclasses import replace

import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.wire import ZERO_ADDRESS, address, as_bytes, hex0x
from adapters.safe.eip712 import plan_approval_preimage, rehash, safe_tx
from engine.errors import InputError

SAFE, TARGET = address("0x" + "5a" * 20), address("0x" + "7b" * 20)
_SAFE_FIELDS = [
    ("to", "address"),
    ("value", "uint256"),
    ("data", "bytes"),
    ("operation", "uint8"),
    ("safeTxGas", "uint256"),
    ("baseGas", "uint256"),
    ("gasPrice", "uint256"),
    ("gasToken", "address"),
    ("refundReceiver", "address"),
    ("nonce", "uint256"),
]


def typed_hash(kind, fields, domain_fields, domain, message) -> bytes:
    """The hash of an independent implementation, eth_account's."""
    named = {
        "EIP712Domain": [{"name": n, "type": t} for n, t in domain_fields],
        kind: [{"name": n, "type": t} for n, t in fields],
    }
    signable = encode_typed_data(
        full_message={"types": named, "primaryType": kind, "domain": domain, "message": message}
    )
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


@given(st.binary(max_size=200), st.integers(0, 2**256 - 1), st.sampled_from([0, 1]), st.integers(0, 2**64))
def test_a_safe_transaction_hashes_as_eth_account_hashes_it(data, value, operation, nonce):
    made = safe_tx(chain_id=10, safe=SAFE, to=TARGET, value=value, data=data, operation=operation, nonce=nonce)

    zeros = dict.fromkeys(("safeTxGas", "baseGas", "gasPrice"), 0)
    message = {
        **zeros,
        "to": TARGET,
        "value": value,
        "data": data,
        "operation": operation,
        "gasToken": ZERO_ADDRESS,
        "refundReceiver": ZERO_ADDRESS,
        "nonce": nonce,
    }
    domain = {"chainId": 10, "verifyingContract": SAFE}
    expected = typed_hash(
        "SafeTx", _SAFE_FIELDS, [("chainId", "uint256"), ("verifyingContract", "address")], domain, message
    )
    assert as_bytes(made.hash) == expected


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(min_size=32, max_size=32), max_size=5))
def test_a_plan_approval_hashes_as_eth_account_hashes_it(digest, hashes):
    found = plan_approval_preimage(
        plan_digest=digest.hex(),
        safe_tx_hashes=[hex0x(item) for item in hashes],
        deadline=1_900_000_000,
        chain_id=10,
        safe=SAFE,
    )

    domain_fields = [
        ("name", "string"),
        ("version", "string"),
        ("chainId", "uint256"),
        ("verifyingContract", "address"),
    ]
    expected = typed_hash(
        "PlanApproval",
        [("planDigest", "bytes32"), ("safeTxHashes", "bytes32[]"), ("deadline", "uint256")],
        domain_fields,
        {"name": "HedgePlan", "version": "1", "chainId": 10, "verifyingContract": SAFE},
        {"planDigest": digest, "safeTxHashes": hashes, "deadline": 1_900_000_000},
    )
    assert keccak(found) == expected


@pytest.mark.fault("F60")
@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 11},
        {"safe": TARGET},
        {"to": SAFE},
        {"value": 1},
        {"data": b"\1"},
        {"operation": 0},
        {"nonce": 8},
    ],
)
def test_changing_any_field_changes_the_hash(change):
    made = safe_tx(chain_id=10, safe=SAFE, to=TARGET, value=0, data=b"", operation=1, nonce=7)

    assert hex0x(rehash(replace(made, **change))) != made.hash
    assert hex0x(rehash(made)) == made.hash


@pytest.mark.parametrize("digest", ["", "zz" * 32, "ab" * 31])
def test_a_digest_that_is_not_32_bytes_is_refused(digest):
    with pytest.raises(InputError, match="32 bytes"):
        plan_approval_preimage(plan_digest=digest, safe_tx_hashes=[], deadline=1, chain_id=1, safe=SAFE)
