"""What eth-tester and py-evm say, in the words of JSON-RPC, and back."""

import ast
from collections.abc import Mapping
from typing import Any

from eth_abi.abi import encode as abi_encode

GAS_LIMIT = 60_000_000
NOBODY = "0x0000000000000000000000000000000000000000"


def whole(number: object) -> int:
    """A whole number given as one or as 0x hex."""
    return number if isinstance(number, int) else int(str(number), 16)


def block_named(tag: object) -> Any:
    """A block tag as eth-tester takes it: its number, or its word."""
    return int(tag, 16) if isinstance(tag, str) and tag.startswith("0x") else tag


def call_of(call: Mapping[str, str]) -> dict[str, Any]:
    """A call as eth-tester takes it, from nobody where no sender is named."""
    return {
        "from": call.get("from", NOBODY),
        "to": call["to"],
        "data": call["data"],
        "value": int(call["value"], 16),
        "gas": GAS_LIMIT // 2,
    }


def raw_log(log: Mapping[str, Any]) -> dict[str, Any]:
    """A log as JSON-RPC writes it."""
    return {
        "address": log["address"],
        "topics": list(log["topics"]),
        "data": log["data"],
        "blockNumber": hex(log["block_number"]),
        "blockHash": log["block_hash"],
        "transactionHash": log["transaction_hash"],
        "transactionIndex": hex(log["transaction_index"]),
        "logIndex": hex(log["log_index"]),
    }


def error_of(failure: Exception) -> dict[str, object]:
    """A refusal as the `error` of a JSON-RPC reply, with the revert's bytes where there are any."""
    text = str(failure)
    if type(failure).__name__ == "TransactionFailed":
        data = _revert_bytes(text)
        return {"code": 3, "message": "execution reverted", "data": "0x" + data.hex()}
    if "nonce" in text.lower():
        return {"code": -32000, "message": f"nonce too low or too high: {text}"}
    return {"code": -32000, "message": text}


def _revert_bytes(text: str) -> bytes:
    """eth-tester tells a revert string as it is and any other revert as the repr of its bytes."""
    if text.startswith(("b'", 'b"')):
        data = ast.literal_eval(text)
        return data if isinstance(data, bytes) else b""
    return bytes.fromhex("08c379a0") + abi_encode(["string"], [text])
