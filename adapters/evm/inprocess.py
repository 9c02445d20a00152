"""
A local chain inside this process: eth-tester over py-evm, answering the same JSON-RPC words as anvil.

For machines where anvil does not run. It finalises at once, cannot be forked, cannot reorganise, and is
some five times slower; its chain id is fixed. Needs the extra ``local-chain``.
"""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.evm.chain import Chain
from adapters.evm.inprocess_words import GAS_LIMIT, block_named, call_of, error_of, raw_log, whole
from adapters.evm.rpc import Reply
from engine.errors import ConfigError

IN_PROCESS_CHAIN_ID = 131277322940537
START = datetime(2017, 7, 1, tzinfo=UTC)
FUNDED_WEI = 10**22

Account = dict[str, Any]


class InProcessNode:
    """Answers the JSON-RPC requests `Chain` makes, from a py-evm chain it holds."""

    name = "eth-tester"
    can_fork = takes_overrides = False
    finality_depth: int | None = 0

    def __init__(self, accounts: Mapping[str, Account], timestamp: int) -> None:
        tester, self._failures = _import_tester()
        self._tester = tester(accounts, timestamp)
        self._words: dict[str, Callable[..., object]] = {
            "eth_chainId": lambda: hex(IN_PROCESS_CHAIN_ID),
            "eth_blockNumber": lambda: hex(self._block("latest")["number"]),
            "eth_gasPrice": lambda: hex(2 * int(self._block("latest")["base_fee_per_gas"])),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBalance": lambda who, at: hex(self._tester.get_balance(who, self._at(at))),
            "eth_getTransactionCount": lambda who, at: hex(self._tester.get_nonce(who, self._at(at))),
            "eth_getCode": lambda who, at: self._tester.get_code(who, self._at(at)),
            "eth_getStorageAt": self._storage,
            "eth_call": lambda call, at: self._tester.call(call_of(call), self._at(at)),
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": self._send_raw,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionByHash": self._transaction_by_hash,
            "eth_getLogs": self._logs,
            "evm_mine": self._mine,
            "evm_snapshot": self._snapshot,
            "evm_revert": self._revert,
            "evm_setNextBlockTimestamp": self._set_next_timestamp,
        }
        self._snapshots: list[Any] = []
        self._next_timestamp = 0

    def ask(self, method: str, params: Sequence[object]) -> Reply:
        """The reply to one request; what the chain refuses comes back as an `error`."""
        word = self._words.get(method)
        if word is None:
            return {"error": {"code": -32601, "message": f"{method} is not known in process"}}
        if method == "eth_call" and len(params) > 2:
            return {"error": {"code": -32602, "message": "state overrides are not known in process"}}
        try:
            return {"result": word(*params)}
        except self._failures as failure:
            return {"error": error_of(failure)}

    def ask_many(self, requests: Sequence[tuple[str, Sequence[object]]]) -> list[Reply]:
        """Replies to several reads, in the order asked."""
        return [self.ask(method, params) for method, params in requests]

    def close(self) -> None:
        """Nothing is held that needs letting go."""

    def _block(self, tag: object) -> dict[str, Any]:
        block: dict[str, Any] = self._tester.get_block_by_number(block_named(tag))
        return block

    def _block_by_number(self, tag: object, _full: bool) -> dict[str, Any] | None:
        if isinstance(block_named(tag), int) and block_named(tag) > self._block("latest")["number"]:
            return None
        block = self._block(tag)
        return {
            "number": hex(block["number"]),
            "hash": block["hash"],
            "timestamp": hex(block["timestamp"]),
            "baseFeePerGas": hex(block["base_fee_per_gas"]),
            "gasLimit": hex(block["gas_limit"]),
        }

    def _block_by_hash(self, block_hash: str, _full: bool) -> dict[str, Any] | None:
        number = self._at({"blockHash": block_hash})
        return self._block_by_number(hex(number), _full)

    def _at(self, tag: object) -> Any:
        """A block as eth-tester names it."""
        if isinstance(tag, Mapping):
            return self._tester.get_block_by_hash(tag["blockHash"])["number"]
        return block_named(tag)

    def _estimate(self, call: Mapping[str, str], at: object = "latest") -> str:
        """A generous share of a block, once the call goes through: py-evm estimates in a block stamped today."""
        self._tester.call(call_of(call), self._at(at))
        return hex(GAS_LIMIT // 4)

    def _storage(self, who: str, slot: str, at: object) -> str:
        found = self._tester.get_storage_at(who, slot, self._at(at))
        return found if isinstance(found, str) else hex(found)

    def _receipt(self, transaction_hash: str) -> dict[str, Any] | None:
        try:
            receipt = self._tester.get_transaction_receipt(transaction_hash)
        except self._failures:
            return None
        return {
            "transactionHash": receipt["transaction_hash"],
            "blockNumber": hex(receipt["block_number"]),
            "blockHash": receipt["block_hash"],
            "status": hex(receipt["status"]),
            "gasUsed": hex(receipt["gas_used"]),
            "effectiveGasPrice": hex(receipt["effective_gas_price"]),
            "from": receipt["from"],
            "to": receipt["to"] or None,
            "contractAddress": receipt["contract_address"],
            "logs": [raw_log(log) for log in receipt["logs"]],
        }

    def _transaction_by_hash(self, transaction_hash: str) -> dict[str, Any] | None:
        try:
            found = self._tester.get_transaction_by_hash(transaction_hash)
        except self._failures:
            return None
        number = found["block_number"]
        return {
            "hash": found["hash"],
            "nonce": hex(found["nonce"]),
            "from": found["from"],
            "to": found["to"] or None,
            "value": hex(found["value"]),
            "input": found["data"],
            "blockNumber": None if number is None else hex(number),
            "blockHash": found["block_hash"],
        }

    def _logs(self, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        one = self._at({"blockHash": query["blockHash"]}) if "blockHash" in query else None
        found = self._tester.get_logs(
            from_block=block_named(query["fromBlock"]) if one is None else one,
            to_block=block_named(query["toBlock"]) if one is None else one,
            address=query["address"],
            topics=query["topics"] or None,
        )
        return [raw_log(log) for log in found]

    def _set_next_timestamp(self, timestamp: int) -> None:
        self._next_timestamp = timestamp

    def _stamp(self) -> None:
        """Stamp the block being made: as asked, else one second after the last (py-evm takes today)."""
        due = max(self._next_timestamp, self._block("latest")["timestamp"] + 1)
        self._tester.backend.chain.set_header_timestamp(due)

    def _send_raw(self, raw: str) -> str:
        self._stamp()
        return str(self._tester.send_raw_transaction(raw))

    def _mine(self) -> str:
        self._stamp()
        self._tester.mine_block()
        return "0x0"

    def _snapshot(self) -> str:
        chain = self._tester.backend.chain
        self._snapshots.append(chain.get_canonical_block_header_by_number(self._block("latest")["number"]))
        return hex(len(self._snapshots))

    def _revert(self, snapshot: str) -> bool:
        serial = int(snapshot, 16)
        if not 1 <= serial <= len(self._snapshots):
            return False
        head = self._snapshots[serial - 1]
        del self._snapshots[serial - 1 :]
        # eth-tester's own way executes the block again, which a world loaded as genesis does not survive
        chain, first = self._tester.backend.chain, b"\0" * 32
        chain.chaindb._set_as_canonical_chain_head(chain.chaindb.db, head, first)  # noqa: SLF001
        chain.header = chain.create_header_from_parent(head)
        self._next_timestamp = 0
        return True


def start_in_process(*, state: Path | None = None, timestamp: datetime = START) -> Chain:
    """
    A chain in this process with the ten funded test accounts.

    Parameters
    ----------
    state : accounts to start from, as `World` dumps them (plain JSON)
    timestamp : clock of its first block

    Raises
    ------
    ConfigError : the extra ``local-chain`` is not installed
    """
    accounts: dict[str, Account] = {}
    if state is not None:
        dumped = json.loads(state.read_text(encoding="utf-8"))
        accounts = dumped["accounts"]
        timestamp = datetime.fromtimestamp(int(dumped["block"]["timestamp"], 16), UTC)
    return Chain(InProcessNode(accounts, int(timestamp.timestamp())))


def _import_tester() -> tuple[Callable[[Mapping[str, Account], int], Any], tuple[type[Exception], ...]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # both import deprecated names of their own dependencies
            import eth_tester.exceptions as refused  # type: ignore[import-untyped]
            from eth.exceptions import PyEVMError
            from eth_tester import EthereumTester, PyEVMBackend
            from eth_utils.exceptions import ValidationError
    except ImportError as error:
        raise ConfigError(
            "the in-process chain is not installed",
            why=str(error),
            todo="install the extra local-chain, or use anvil",
        ) from error

    class Backend(PyEVMBackend):  # type: ignore[misc]
        """A chain whose calls cost their sender nothing, as on other nodes: a contract calls with no ether."""

        chain: Any

        def call(self, transaction: Mapping[str, Any], block_number: Any = "latest") -> Any:
            chain, self.chain = self.chain, _Free(self.chain)
            try:
                return super().call({**transaction, "max_fee_per_gas": 0, "max_priority_fee_per_gas": 0}, block_number)
            finally:
                self.chain = chain

    def tester(accounts: Mapping[str, Account], timestamp: int) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            genesis = PyEVMBackend.generate_genesis_params({"gas_limit": GAS_LIMIT, "timestamp": timestamp})
            backend = Backend(genesis_parameters=genesis, genesis_state=_genesis(accounts))
            return EthereumTester(backend=backend)

    failures = (
        refused.TransactionFailed,
        refused.TransactionNotFound,
        refused.BlockNotFound,
        refused.SnapshotNotFound,
        refused.ValidationError,
        ValidationError,
        PyEVMError,
    )
    return tester, failures


class _Free:
    """A chain as it is, but for gas, which is free."""

    def __init__(self, chain: Any) -> None:
        self._chain = chain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    def get_vm(self, at_header: Any = None) -> Any:
        """The machine of a block, its base fee set to nothing."""
        return self._chain.get_vm(at_header=at_header.copy(base_fee_per_gas=0) if at_header else None)


def _genesis(accounts: Mapping[str, Account]) -> dict[bytes, Account]:
    from adapters.evm.deploy_builder import ACCOUNTS, account

    funded = {account(i).address.lower(): {"balance": hex(FUNDED_WEI)} for i in range(ACCOUNTS)}
    return {
        bytes.fromhex(address.removeprefix("0x")): {
            "balance": int(str(terms.get("balance", "0x0")), 16),
            "nonce": whole(terms.get("nonce", 0)),
            "code": bytes.fromhex(str(terms.get("code", "0x")).removeprefix("0x")),
            "storage": {int(slot, 16): int(word, 16) for slot, word in terms.get("storage", {}).items()},
        }
        for address, terms in {**funded, **accounts}.items()
    }
