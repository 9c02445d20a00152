"""A fork of a node whose address holds a key: the key reaches neither processes, logs, answers nor errors (I11)."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adapters.evm.anvil import AnvilNode, start_anvil
from adapters.evm.chain import Chain, connect
from adapters.evm.deploy_builder import account
from adapters.evm.http_node import HttpNode
from adapters.evm.quorum_rpc import NodesDisagree
from adapters.evm.relay import Relay
from adapters.evm.rpc import Limits, RateLimited
from engine.errors import ConfigError, EngineError, OutcomeUnknown, VenueUnavailable

pytestmark = pytest.mark.chain
KEY = "canary-8f3a1c"


class Keyed:
    """A provider in front of a node: it answers only those who name the key, and says it in every refusal."""

    def __init__(self, node: HttpNode) -> None:
        door, self.down = self, False

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                question = self.rfile.read(int(self.headers["Content-Length"]))
                known = self.path == f"/v2/{KEY}" and not door.down
                said = json.dumps(node._read(question)) if known else f"no such key: {KEY}"
                self.send_response(200 if known else 401)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said.encode())

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.server.daemon_threads, self.server.block_on_close = True, False
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v2/{KEY}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def original(fetched_packages: None) -> Iterator[Chain]:
    with start_anvil() as chain:
        chain.mine(3)
        yield chain


@pytest.fixture
def provider(original: Chain) -> Iterator[Keyed]:
    assert isinstance(original.node, AnvilNode)
    node = HttpNode(original.node.url)
    keyed = Keyed(node)
    yield keyed
    keyed.close()
    node.close()


def seen_of(pid: int) -> str:
    """What anybody sees of a process: its command line, and what its user sees of its environment."""
    return "".join(Path(f"/proc/{pid}/{part}").read_bytes().decode(errors="replace") for part in ("cmdline", "environ"))


def test_a_key_in_the_address_of_what_is_forked_is_nowhere_to_be_seen(original, provider):
    with start_anvil(fork=provider.url, chain_id=31338) as fork:
        node = fork.node
        assert isinstance(node, AnvilNode)
        assert fork.block(3).hash == original.block(3).hash
        assert fork.balance(account(0).address) == original.balance(account(0).address)

        shown = seen_of(node.process.pid) + node.log.read_text(encoding="utf-8")
        shown += json.dumps(fork.request("anvil_nodeInfo")) + repr(node) + str(fork.describe())
        provider.down = True
        with pytest.raises(EngineError) as failed:
            fork.balance("0x" + "77" * 20)

    assert KEY not in shown
    assert KEY not in f"{failed.value}{failed.value.__cause__}"


def test_a_fork_that_does_not_start_tells_no_key(original, provider):
    provider.down = True

    with pytest.raises(VenueUnavailable, match="anvil did not start") as failed:
        start_anvil(fork=provider.url)

    assert KEY not in str(failed.value)


@pytest.mark.parametrize("method", ["eth_sendRawTransaction", "eth_sendTransaction"])
@pytest.mark.parametrize("batched", [False, True])
def test_nothing_is_broadcast_through_it(original, method, batched):
    assert isinstance(original.node, AnvilNode)
    before = original.height()
    transfer = {"from": account(1).address, "to": account(2).address, "value": "0x1"}
    with Relay(HttpNode(original.node.url)) as relay:
        asking = HttpNode(relay.url)
        if batched:
            asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": [transfer]}
            with pytest.raises(VenueUnavailable, match="HTTP 403"):
                asking._read(json.dumps([asked]).encode())
        else:
            with pytest.raises(OutcomeUnknown, match="HTTP 403"):
                asking.ask(method, [transfer])
        assert asking.ask("eth_blockNumber", [])["result"] == hex(before)
        asking.close()

    assert original.height() == before


def test_a_provider_that_asks_for_patience_is_passed_on_as_such():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        head = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

        def refuse() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(head)

        thread = threading.Thread(target=refuse)
        thread.start()
        port = listening.getsockname()[1]
        asked = HttpNode(f"http://127.0.0.1:{port}", limits=Limits(seconds=2.0))
        with Relay(asked) as relay, pytest.raises(RateLimited):
            HttpNode(relay.url).ask("eth_blockNumber", [])
        thread.join()


def test_a_name_and_password_in_the_address_travel_as_a_header(original):
    seen: list[str | None] = []

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers["Authorization"])
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(VenueUnavailable) as failed:
            HttpNode(f"http://Aladdin:open%20sesame@127.0.0.1:{server.server_address[1]}").ask("eth_chainId", [])

    assert seen == ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]  # the example of RFC 7617, section 2
    assert "sesame" not in str(failed.value)


@pytest.mark.parametrize("url", [f"http://h/{KEY} x", f"http://h:p{KEY}/", f"http://[::1/{KEY}", f"http://h/{KEY}\n"])
def test_an_address_that_is_none_is_refused_without_being_repeated(url):
    with pytest.raises(ConfigError, match="RPC address refused") as refused:
        HttpNode(url)

    assert KEY not in str(refused.value)


def test_the_door_closes_with_the_fork(original, provider):
    with start_anvil(fork=provider.url) as fork:
        assert isinstance(fork.node, AnvilNode)
        (door,) = [part for part in seen_of(fork.node.process.pid).split("\0") if part.startswith("http://127.0.0.1")]

    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(door.rpartition(":")[2])), 1.0).close()
    assert fork.node.process.poll() is not None


def test_a_fork_of_several_endpoints_reads_what_they_agree_on(original):
    assert isinstance(original.node, AnvilNode)
    url = original.node.url
    with start_anvil() as other, start_anvil(fork=f"{url} {url}") as fork:
        assert isinstance(other.node, AnvilNode)
        assert fork.block(2).hash == original.block(2).hash
        other.mine(2)
        other.request("anvil_setBalance", account(0).address, "0x5")
        other.mine()
        with connect(f"{url} {other.node.url}") as both, pytest.raises(NodesDisagree):
            both.balance(account(0).address)
