"""Contracts of our own, written in Vyper beside the tests: compiled once, created on a local chain."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from adapters.evm.abi import encode_constructor
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import Builder
from engine.orders import Address

FOLDER = Path(__file__).parent / "contracts"


@cache
def compiled(name: str) -> tuple[list[dict[str, Any]], bytes]:
    """
    ABI and creation code of `contracts/<name>.vy`.

    The compiler runs in a process of its own: on import it replaces the decimal context of the whole program.
    """
    ran = subprocess.run(
        [sys.executable, "-m", "vyper", "-f", "abi,bytecode", f"{name}.vy"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=True,
    )
    abi, code = ran.stdout.splitlines()[:2]
    return json.loads(abi), bytes.fromhex(code.removeprefix("0x"))


def create(builder: Builder, name: str, *arguments: object) -> Contract:
    """A new contract of ours with its whole ABI."""
    abi, code = compiled(name)
    receipt = builder._send(None, code + encode_constructor(abi, arguments), 0)
    return Contract(Address(to_checksum_address(str(receipt["contractAddress"]))), abi)
