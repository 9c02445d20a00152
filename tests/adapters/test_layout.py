"""Fixed layouts against `eth_abi`: the same bytes, the same values, and the same refusals."""

import pytest
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.evm.abi import decode_result, encode_call
from adapters.evm.contract import Contract
from adapters.evm.layout import Layout, fixed
from adapters.evm.wire import address
from contracts_abi import every
from engine.errors import InputError, VenueUnavailable

KINDS = ["uint8", "uint80", "uint256", "int24", "int256", "bool", "address", "bytes4", "bytes32", "uint64[3]"]


def values(kind: str) -> st.SearchStrategy:
    if kind.endswith("]"):
        return st.lists(values(kind[: kind.index("[")]), min_size=3, max_size=3)
    if kind == "bool":
        return st.booleans()
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(address)
    if kind.startswith("bytes"):
        return st.binary(min_size=int(kind[5:]), max_size=int(kind[5:]))
    bits = int(kind.lstrip("uint"))
    return st.integers(0, 2**bits - 1) if kind.startswith("u") else st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


rows = st.lists(st.sampled_from(KINDS), min_size=1, max_size=6).flatmap(
    lambda kinds: st.tuples(st.just(kinds), st.tuples(*map(values, kinds)))
)


def layout(kinds) -> Layout:
    return Layout([{"name": f"v{at}", "type": kind} for at, kind in enumerate(kinds)])


@given(rows)
def test_bytes_and_values_are_those_of_eth_abi(row):
    kinds, given_values = row

    written = layout(kinds).write(given_values)

    assert written == encode(kinds, given_values)
    found = layout(kinds).read(written)
    theirs = [list(v) if isinstance(v, tuple) else v for v in decode(kinds, written)]
    assert [v.lower() if kinds[at] == "address" else v for at, v in enumerate(found)] == theirs


@given(kind=st.sampled_from(KINDS[:-1]), word=st.binary(min_size=32, max_size=32))
@example(kind="bool", word=(2).to_bytes(32))
@example(kind="address", word=b"\1" + bytes(31))
@example(kind="int24", word=(2**23).to_bytes(32))
@example(kind="bytes4", word=bytes(31) + b"\1")
def test_a_word_that_eth_abi_refuses_is_refused(kind, word):
    try:
        decode([kind], word)
        readable = True
    except DecodingError:
        readable = False

    if readable:
        layout([kind]).read(word)
    else:
        with pytest.raises(ValueError, match=r"is no|not padded"):
            layout([kind]).read(word)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256), ("uint8", -1), ("uint256", 2**256), ("int24", 2**23), ("uint8", True), ("uint8", "1"),
        ("uint8", 1.0), ("bool", 1), ("bytes4", b"12345"), ("bytes4", "0x11"), ("address", "0x11"), ("address", 5),
        ("address", None),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_before_anything_is_encoded(kind, value):
    entry = {"type": "function", "name": "f", "inputs": [{"name": "v", "type": kind}], "outputs": []}

    with pytest.raises(InputError, match="arguments of f refused"):
        encode_call(entry, [value])


@pytest.mark.fault("F63")
def test_an_address_with_a_wrong_checksum_is_refused():
    good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # EIP-55's own example
    entry = {"type": "function", "name": "f", "inputs": [{"name": "a", "type": "address"}], "outputs": []}

    assert encode_call(entry, [good]) == encode_call(entry, [good.lower()])
    with pytest.raises(InputError, match="wrong checksum"):
        encode_call(entry, [good.replace("BeAed", "BeAeD")])


def test_too_few_bytes_are_no_answer():
    entry = {"type": "function", "name": "f", "inputs": [], "outputs": [{"name": "", "type": "uint256"}]}

    with pytest.raises(VenueUnavailable, match="nothing was returned"):
        decode_result(entry, b"")
    with pytest.raises(VenueUnavailable, match="31 bytes"):
        decode_result(entry, bytes(31))


def test_every_committed_function_of_fixed_shape_is_encoded_as_eth_abi_encodes_it():
    functions = [e for abi in every().values() for e in abi if e["type"] == "function" and all(map(fixed, e["inputs"]))]
    assert len(functions) > 100
    for entry in functions:
        zeros = [_zero(part) for part in entry["inputs"]]
        data = encode_call(entry, zeros)
        assert data[4:] == bytes(len(data) - 4)
        assert Contract(address(bytes(20)), [entry]).decode_call(data)[0] == entry["name"]


def _zero(part):
    if part["type"].startswith("tuple"):
        return tuple(_zero(inner) for inner in part["components"])
    kind = part["type"]
    return {"address": "0x" + "00" * 20, "bool": False}.get(kind, b"" if kind.startswith("bytes") else 0)
