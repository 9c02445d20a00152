"""The code of a price feed that always answers the same, as fresh as the block that asks."""

_ROUND = (1 << 64) + 1
_LATEST_ANSWER, _LATEST_ROUND, _DECIMALS = (bytes.fromhex(part) for part in ("50d25bcd", "feaf968c", "313ce567"))


def feed_code(answer: int, decimals: int) -> bytes:
    """
    Runtime code that speaks Chainlink's `AggregatorV3Interface` and the older ``latestAnswer``.

    Parameters
    ----------
    answer : in units of 10^-decimals of the quote, positive

    Returns
    -------
    Code for the account of an existing feed on a fork; everything but the two reads and ``decimals`` reverts.

    Source
    ------
    Chainlink, "API reference: AggregatorV3Interface" (selectors, order of `latestRoundData`).

    >>> len(feed_code(2_000 * 10**8, 8))
    161
    """
    price = b"\x7f" + answer.to_bytes(32)  # PUSH32
    word = b"\x5f\x52\x60\x20\x5f\xf3"  # PUSH0 MSTORE, return 32 bytes
    number = b"\x68" + _ROUND.to_bytes(9)  # PUSH9
    whole = number + b"\x5f\x52" + price + b"\x60\x20\x52" + b"\x42\x60\x40\x52\x42\x60\x60\x52"
    whole += number + b"\x60\x80\x52\x60\xa0\x5f\xf3"
    parts = {_LATEST_ANSWER: price + word, _DECIMALS: b"\x60" + bytes([decimals]) + word, _LATEST_ROUND: whole}
    start = len(_head(dict.fromkeys(parts, 0)))
    places: dict[bytes, int] = {}
    for selector, body in parts.items():
        places[selector] = start
        start += 1 + len(body)
    return _head(places) + b"".join(b"\x5b" + body for body in parts.values())  # JUMPDEST


def _head(places: dict[bytes, int]) -> bytes:
    """Jump to what the selector names, else revert."""
    code = b"\x5f\x35\x60\xe0\x1c"  # PUSH0 CALLDATALOAD PUSH1 224 SHR
    for selector, place in places.items():
        code += b"\x80\x63" + selector + b"\x14\x60" + bytes([place]) + b"\x57"  # DUP1 PUSH4 EQ PUSH1 JUMPI
    return code + b"\x5f\x5f\xfd"
