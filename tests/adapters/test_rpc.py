"""Replies that no honest node gives: bounded in time and memory, and told as what they are (faults F58)."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from adapters.evm.chain import Chain
from adapters.evm.http_node import HttpNode
from adapters.evm.rpc import Limits, RateLimited, ReplyMalformed, ReplyTooLarge, ReplyTooSlow
from engine.errors import ConfigError, OutcomeUnknown, VenueUnavailable

pytestmark = pytest.mark.fault("F58")
SMALL = Limits(reply_bytes=10_000, seconds=0.4)
Answer = Callable[[socket.socket, bytes], None]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """A loopback endpoint that answers every request as the test says, one connection each."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                if stop.is_set():
                    connection.close()
                    return
                with connection:
                    try:
                        answer(connection, request(connection))
                    except OSError:
                        continue  # the client gave up first

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            stop.set()
            socket.create_connection(listening.getsockname()).close()
            thread.join()


def request(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return body


def said(text: str, status: str = "200 OK", headers: str = "") -> Answer:
    def answer(connection: socket.socket, _: bytes) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(text.encode())}\r\nConnection: close\r\n{headers}\r\n"
        connection.sendall(head.encode() + text.encode())

    return answer


def echoed(make: Callable[[dict], object]) -> Answer:
    """An answer made from the request itself."""

    def answer(connection: socket.socket, body: bytes) -> None:
        said(json.dumps(make(json.loads(body))))(connection, body)

    return answer


def telling(receipt: object, head: object) -> Callable[[object], object]:
    """A node of chain 1 that knows one receipt and one block."""
    said = {"eth_chainId": "0x1", "eth_getTransactionReceipt": receipt, "eth_getBlockByNumber": head}

    def make(asked):
        if isinstance(asked, list):
            return [{"id": each["id"], "result": said[each["method"]]} for each in asked]
        return {"id": asked["id"], "result": said[asked["method"]]}

    return make


BROKEN = [
    "", "not json", "[1,2", "5", "null", '"0x1"', "[]", "{}", '{"id":1}', '{"id":1,"error":"x"}',
    '{"id":2,"result":"0x1"}', '{"result":"0x1"}', "[" * 5_000, '{"id":1,"error":5}',
    '{"id":1,"error":{"code":[1],"message":"x"}}',
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_a_reply_that_is_not_one_is_no_answer(text):
    with server(said(text)) as url, pytest.raises(ReplyMalformed):
        HttpNode(url, limits=SMALL).ask("eth_blockNumber", [])


@pytest.mark.parametrize("text", BROKEN)
def test_to_a_send_it_means_that_the_outcome_is_unknown(text):
    with server(said(text)) as url, pytest.raises(OutcomeUnknown, match="may have been broadcast"):
        HttpNode(url, limits=SMALL).ask("eth_sendRawTransaction", ["0x00"])


def knowing(**said: object) -> Answer:
    """A node of chain 1 that answers each method as the test says, a mapping with `error` as its error."""
    known = {"eth_chainId": "0x1"} | said

    def one(asked):
        found = known[asked["method"]]
        kind = "error" if isinstance(found, dict) and "message" in found else "result"
        return {"id": asked["id"], kind: found}

    return echoed(lambda asked: [one(each) for each in asked] if isinstance(asked, list) else one(asked))


HEAD = {"number": "0x1", "hash": "0x" + "aa" * 32, "timestamp": "0x1", "gasLimit": "0x1"}
REFUSAL = {"code": 3, "message": "execution reverted", "data": "0xzz"}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ({"eth_getBlockByNumber": {**HEAD, "number": "-0x1"}}, lambda chain: chain.block(1)),
        ({"eth_getBlockByNumber": {**HEAD, "number": "0x" + "f" * 20}}, lambda chain: chain.block(1)),
        ({"eth_getBlockByNumber": {**HEAD, "timestamp": "0x" + "f" * 15}}, lambda chain: chain.block(1).at),
        ({"eth_getBalance": "-0x5"}, lambda chain: chain.balance("0x" + "11" * 20)),
        ({"eth_getBalance": "0x1" + "0" * 64}, lambda chain: chain.balance("0x" + "11" * 20)),
        ({"eth_getTransactionCount": "0x1" + "0" * 16}, lambda chain: chain.nonce("0x" + "11" * 20)),
        ({"eth_blockNumber": "0x1" + "0" * 16}, lambda chain: chain.height()),
        ({"eth_getStorageAt": "0x" + "11" * 33}, lambda chain: chain.storage("0x" + "11" * 20, 0)),
        ({"eth_call": REFUSAL}, lambda chain: chain.call("0x" + "11" * 20, b"")),
        ({"eth_getTransactionReceipt": [5], "eth_getBlockByNumber": HEAD}, lambda chain: chain.receipt("0x1")),
    ],
)
def test_a_number_that_no_chain_has_and_a_refusal_that_is_no_bytes_are_no_answer(said, read):
    with server(knowing(**said)) as url, pytest.raises(ReplyMalformed):
        read(Chain(HttpNode(url, limits=SMALL)))


def test_a_refused_send_whose_reason_is_not_readable_may_be_in():
    with server(knowing(eth_sendRawTransaction=REFUSAL)) as url, pytest.raises(OutcomeUnknown, match="may be in"):
        Chain(HttpNode(url, limits=SMALL)).send_raw(b"\x02")


def test_a_refused_batch_whose_code_is_none_is_no_answer():
    with server(said('{"error":{"code":{},"message":"x"}}')) as url, pytest.raises(VenueUnavailable, match="refused"):
        HttpNode(url, limits=SMALL).ask_many([("eth_chainId", [])])


@pytest.mark.parametrize("result", [None, 5, [], {}, True, "", "0x", "12", "0xzz", "0x" + "f" * 70 + "g"])
@pytest.mark.parametrize(
    "read",
    [
        lambda chain: chain.height(),
        lambda chain: chain.balance("0x" + "11" * 20),
        lambda chain: chain.block(1),
        lambda chain: chain.gas_price_wei(),
    ],
)
def test_a_result_of_another_kind_is_no_answer(result, read):
    def make(asked):
        good = asked["method"] == "eth_chainId"
        return {"id": asked["id"], "result": "0x1" if good else result}

    with server(echoed(make)) as url:
        chain = Chain(HttpNode(url, limits=SMALL))
        if result == "12" and "block" not in read.__code__.co_names:
            assert read(chain) == 18  # some nodes leave the prefix out
        else:
            with pytest.raises(VenueUnavailable):
                read(chain)


@pytest.mark.parametrize(
    "found", [None, 5, {}, "0x", [5], [{}], [None], [{"address": "0x", "topics": None, "data": "0x"}]]
)
def test_logs_that_are_none_are_no_answer(found):
    def make(asked):
        return {"id": asked["id"], "result": "0x1" if asked["method"] == "eth_chainId" else found}

    with server(echoed(make)) as url, pytest.raises(ReplyMalformed):
        Chain(HttpNode(url, limits=SMALL)).logs(address="0x" + "11" * 20)


@pytest.mark.parametrize("found", [{"blockNumber": "0x1"}, {"blockNumber": 5, "status": "0x1"}, {"blockNumber": "x"}])
def test_a_receipt_that_lacks_its_parts_is_no_receipt(found):
    head = {"number": "0x1", "hash": "0x" + "aa" * 32, "timestamp": "0x1", "gasLimit": "0x1"}

    with server(echoed(telling(found, head))) as url, pytest.raises(ReplyMalformed):
        Chain(HttpNode(url, limits=SMALL)).receipt("0x" + "11" * 32)


@pytest.mark.fault("F24")
@pytest.mark.parametrize(("there", "mined"), [("0x" + "aa" * 32, True), ("0x" + "bb" * 32, False)])
def test_a_receipt_whose_block_has_just_left_the_chain_is_none(there, mined):
    who, head = "0x" + "11" * 20, {"number": "0x1", "hash": there, "timestamp": "0x1", "gasLimit": "0x1"}
    numbers = dict.fromkeys(("status", "gasUsed", "effectiveGasPrice", "blockNumber"), "0x1")
    receipt = {**numbers, "transactionHash": "0x1", "blockHash": "0x" + "aa" * 32, "from": who, "to": who, "logs": []}

    with server(echoed(telling(receipt, head))) as url:
        found = Chain(HttpNode(url, limits=SMALL)).receipt("0x" + "11" * 32)

    assert (found is not None) == mined


@pytest.mark.parametrize("declared", [True, False])
def test_a_huge_reply_is_not_read_to_its_end(declared):
    sent = [0]

    def answer(connection: socket.socket, _: bytes) -> None:
        length = "Content-Length: 900000000\r\n" if declared else ""
        connection.sendall(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        for _ in range(900):
            sent[0] += connection.send(b" " * 1_000_000)

    with server(answer) as url, pytest.raises(ReplyTooLarge, match="10,000 bytes"):
        HttpNode(url, limits=SMALL).ask("eth_blockNumber", [])
    assert sent[0] < 50_000_000


@pytest.mark.parametrize("part", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_a_drip_of_bytes_does_not_stretch_the_time(part):
    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(part)
        for _ in range(50):
            connection.sendall(b" ")
            time.sleep(0.05)

    with server(answer) as url:
        began = time.monotonic()
        with pytest.raises(ReplyTooSlow, match=r"after 0\.4 s"):
            HttpNode(url, limits=SMALL).ask("eth_blockNumber", [])
        assert time.monotonic() - began < 1.5


def test_too_many_requests_are_told_with_the_time_to_wait():
    with server(said("slow down", "429 Too Many Requests", "Retry-After: 7\r\n")) as url:
        with pytest.raises(RateLimited, match="wait 7 s") as told:
            HttpNode(url, limits=SMALL).ask("eth_blockNumber", [])
        with pytest.raises(RateLimited):
            HttpNode(url, limits=SMALL).ask_many([("eth_blockNumber", [])])
        with pytest.raises(OutcomeUnknown):
            HttpNode(url, limits=SMALL).ask("eth_sendRawTransaction", ["0x00"])
    assert told.value.retry_after == 7


@pytest.mark.parametrize(
    "make",
    [
        lambda asked: {"id": None, "error": {"code": -32005, "message": "limit exceeded"}},
        lambda asked: [{"id": each["id"], "error": {"code": 429, "message": "rate"}} for each in asked],
    ],
)
def test_a_limit_that_is_told_inside_the_reply_is_one_too(make):
    with server(echoed(make)) as url, pytest.raises(RateLimited):
        HttpNode(url, limits=SMALL).ask_many([("eth_blockNumber", []), ("eth_chainId", [])])


@pytest.mark.parametrize(
    "make",
    [
        lambda asked: [{"id": each["id"], "result": 1} for each in asked[1:]],
        lambda asked: [{"id": asked[0]["id"], "result": 1}] * len(asked),
        lambda asked: [*({"id": each["id"], "result": 1} for each in asked), {"id": 99, "result": 1}],
        lambda asked: [*({"id": each["id"], "result": 1} for each in asked), {"id": asked[0]["id"], "result": 2}],
        lambda asked: [{"id": [], "result": 1}] * len(asked),
        lambda asked: {"id": 1, "result": []},
        lambda asked: [1, 2],
    ],
)
def test_a_batch_that_is_answered_in_part_is_no_answer(make):
    with server(echoed(make)) as url, pytest.raises(ReplyMalformed):
        HttpNode(url, limits=SMALL).ask_many([("eth_blockNumber", []), ("eth_chainId", [])])


def test_answers_of_a_batch_in_another_order_are_put_in_ours():
    def make(asked):
        return [{"id": each["id"], "result": each["method"]} for each in reversed(asked)]

    with server(echoed(make)) as url:
        replies = HttpNode(url, limits=SMALL).ask_many([("a", []), ("b", []), ("c", [])])

    assert [reply["result"] for reply in replies] == ["a", "b", "c"]


@pytest.mark.parametrize(("limits", "most"), [(Limits(requests_per_batch=3), 3), (Limits(request_bytes=150), 2)])
def test_a_long_batch_travels_in_as_many_as_the_endpoint_takes(limits, most):
    seen: list[int] = []

    def make(asked):
        seen.append(len(asked))
        return [{"id": each["id"], "result": each["params"][0]} for each in asked]

    with server(echoed(make)) as url:
        replies = HttpNode(url, limits=limits).ask_many([("m", [n]) for n in range(10)])

    assert [reply["result"] for reply in replies] == list(range(10))
    assert sum(seen) == 10
    assert max(seen) == most


def test_an_error_page_is_told_by_its_status():
    page = said("<html>bad gateway</html>", "502 Bad Gateway")

    with server(page) as url, pytest.raises(VenueUnavailable, match="HTTP 502"):
        HttpNode(url, limits=SMALL).ask("eth_blockNumber", [])


@pytest.mark.parametrize("url", ["ftp://x", "http://", "node:8545", "ws://x", "http://a..b", "http://" + 70 * "a"])
def test_what_is_no_http_address_is_refused(url):
    with pytest.raises(ConfigError, match="RPC address refused"):
        HttpNode(url)
