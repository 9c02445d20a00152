"""What eth-tester and py-evm say, in the words of JSON-RPC, and back."""

import ast
from collections.abc import Mapping
from typing import Any

from eth_abi.abi import encode as abi_encode

GAS_LIMIT = 60_000_000
NOBODY = "0x0000000000000000000000000000000000000000"


def whole(number: object) -> int:
    return number if isinstance(number, int) else int(str(number), 16)


def number(tag: object) -> Any:
    return int(tag, 16) if isinstance(tag, str) and tag.startswith("0x") else tag


def transaction(call: Mapping[str, str]) -> dict[str, Any]:
    return {
        "from": call.get("from", NOBODY),
        "to": call["to"],
        "data": call["data"],
        "value": int(call["value"], 16),
        "gas": GAS_LIMIT // 2,
    }


def log(log: Mapping[str, Any]) -> dict[str, Any]:
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


def as_error(failure: Exception) -> dict[str, object]:
    text = str(failure)
    if type(failure).__name__ == "TransactionFailed":
        data = revert_bytes(text)
        return {"code": 3, "message": "execution reverted", "data": "0x" + data.hex()}
    if "nonce" in text.lower():
        return {"code": -32000, "message": f"nonce too low or too high: {text}"}
    return {"code": -32000, "message": text}


def revert_bytes(text: str) -> bytes:
    """eth-tester tells a revert string as it is and any other revert as the repr of its bytes."""
    if text.startswith(("b'", 'b"')):
        data = ast.literal_eval(text)
        return data if isinstance(data, bytes) else b""
    return bytes.fromhex("08c379a0") + abi_encode(["string"], [text])
