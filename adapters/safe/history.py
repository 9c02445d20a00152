"""What the Safe has executed, read from the chain: whoever sent it, it used up allowances."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.wire import as_bytes, hex0x
from adapters.safe.editions import named_hash
from adapters.safe.eip712 import rehash
from adapters.safe.multisend import inner_calls
from adapters.safe.state import SafeSettings
from engine.errors import OrderRejected
from engine.orders import Address, Call, SafeTx


def executed_batches(
    chain: Chain, safe: Contract, settings: SafeSettings, *, first: datetime, known: Iterable[SafeTx] = ()
) -> list[tuple[datetime, tuple[Call, ...]]]:
    """
    Every Safe transaction that succeeded at or after `first`, oldest first, as its calls.

    A batch gives its calls, anything else of ours its one call. Each is read from `known` by its hash, else
    from the transaction that carried it. Raises `OrderRejected` where neither shows it (sent through another
    contract and proposed elsewhere): what it took is then not known, and nothing may rest on guessing.
    """
    by_hash = {hex0x(rehash(tx)): (tx.to, tx.value, tx.data) for tx in known}
    found = []
    for log in chain.logs(address=settings.safe, topics=[safe.topic("ExecutionSuccess")], first=settings.since):
        at = chain.block(int(log["blockNumber"], 16)).at
        if at >= first:
            name = named_hash(log)
            carried = by_hash[name] if name in by_hash else _sent(chain, safe, log["transactionHash"], name)
            found.append((at, _calls(*carried, settings)))
    return found


def _sent(chain: Chain, safe: Contract, transaction_hash: str, name: str) -> tuple[Address, int, bytes]:
    sent: Mapping[str, str] = chain.transaction(transaction_hash) or {}
    if (sent.get("to") or "").lower() != safe.address.lower():
        raise OrderRejected(
            f"Safe transaction {name[:10]} is not readable",
            why=f"{transaction_hash} reached the Safe through another contract",
            todo="add what it was to the journal, then plan again",
        )
    _, arguments = safe.decode_call(as_bytes(sent["input"]))
    return arguments["to"], arguments["value"], arguments["data"]


def _calls(to: Address, value: int, data: bytes, settings: SafeSettings) -> tuple[Call, ...]:
    return inner_calls(data) if to == settings.multi_send else (Call(to, data, value, ""),)
