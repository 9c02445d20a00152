"""
A local chain in a child process: anvil, always with the same rules.

Prague rules, chain id 31337, 60M gas, blocks exactly one second apart however fast they are mined,
final two blocks deep, and the ten well-known funded accounts (`adapters.evm.deploy_builder.account`).
"""

import ctypes
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from adapters.evm.chain import Chain
from adapters.evm.http_node import HttpNode
from adapters.evm.packages import anvil_binary
from adapters.evm.quorum_rpc import node_at
from adapters.evm.relay import Relay
from engine.errors import EngineError, VenueUnavailable

LOCAL_CHAIN_ID = 31337
GAS_LIMIT = 60_000_000
START_SECONDS = 20.0
STOP_SECONDS = 5.0


class AnvilNode(HttpNode):
    """An anvil of our own: closing it stops the process."""

    name = "anvil"
    can_fork = True

    def __init__(
        self, url: str, process: "subprocess.Popen[bytes]", log: Path, *, timeout: float, origin: Relay | None = None
    ) -> None:
        super().__init__(url, timeout=timeout, finality_depth=2)
        self.process, self.log, self._origin = process, log, origin

    def close(self) -> None:
        """Stop the process and wait for it; may be called twice."""
        super().close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.unlink(missing_ok=True)
        if self._origin is not None:
            self._origin.close()
            self._origin = None


def start_anvil(
    *,
    state: Path | None = None,
    fork: Chain | str | None = None,
    fork_block: int | None = None,
    timestamp: datetime | None = None,
    chain_id: int = LOCAL_CHAIN_ID,
    keep: Path | None = None,
    cache: Path | None = None,
    timeout: float = 60.0,
) -> Chain:
    """
    Start anvil on a free loopback port and return the chain it serves; use it as a context manager.

    Parameters
    ----------
    state : a dumped state to start from (plain JSON, as `anvil --dump-state` writes it)
    fork : a chain, or one or several RPC URLs, to start on top of; writes stay here, and a key stays in this process
    fork_block : block to fork at, latest if None
    timestamp : clock of the first block
    chain_id : its own, also when forking
    keep : file that holds state across restarts (written each second and at the end)
    cache : where fetched packages are
    timeout : seconds for one request

    Raises
    ------
    ConfigError : anvil is not here
    VenueUnavailable : it did not start
    """
    port = _free_port()
    arguments = [
        str(anvil_binary(cache)),
        *("--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id), "--hardfork", "prague"),
        *("--slots-in-an-epoch", "1", "--gas-limit", str(GAS_LIMIT), "--no-request-size-limit"),
    ]
    if state is not None:
        arguments += ["--load-state", str(state)]
    if keep is not None:
        arguments += ["--state", str(keep), "--state-interval", "1"]
    if timestamp is not None:
        arguments += ["--timestamp", str(int(timestamp.timestamp()))]
    origin = None if fork is None else Relay(node_at(fork if isinstance(fork, str) else _url_of(fork)))
    if origin is not None:
        arguments += ["--fork-url", origin.url, "--no-storage-caching"]
        arguments += ["--fork-block-number", str(fork_block)] if fork_block is not None else []
    with tempfile.NamedTemporaryFile(prefix="anvil-", suffix=".log", delete=False) as log:
        process = subprocess.Popen(  # noqa: S603 - a checked binary and our own words
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - only sets a flag of the child
        )
    node = AnvilNode(f"http://127.0.0.1:{port}", process, Path(log.name), timeout=timeout, origin=origin)
    try:
        _wait_until_listening(node, port)
        chain = Chain(node, expected_chain_id=chain_id)
        if timestamp is None:
            chain.request("evm_setTime", chain.block().timestamp)  # else it is today, and no block may be older
        chain.request("anvil_setBlockTimestampInterval", 1)
    except EngineError:
        node.close()
        raise
    return chain


def _wait_until_listening(node: AnvilNode, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if node.process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.005)
        else:
            return
    said = node.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise VenueUnavailable(
        "anvil did not start",
        why=said[-1] if said else f"nothing listened for {START_SECONDS:g} s",
        todo="check the state file, the fork address and the port, then try again",
    )


def _url_of(chain: Chain) -> str:
    if not isinstance(chain.node, HttpNode):
        raise VenueUnavailable(
            "this chain cannot be forked", why=f"{chain.node.name} has no address", todo="use anvil for forks"
        )
    return chain.node.url


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux the kernel ends the child when we die, however we die."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(1, signal.SIGTERM)
