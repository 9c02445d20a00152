"""
W7: 200 reads of a chain at one block, and everything a rebalance looks at, against web3.py in the same run.

All candidates ask the same local chain the same 200 questions: pools, balances, reserves and option strikes.
The yardsticks called raw send bytes made beforehand and read nothing into the answer but its JSON.
"""

import http.client
import json
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from adapters.evm.anvil import AnvilNode
from adapters.evm.batch_reads import PROGRAM, READER, Reads, packed
from adapters.evm.contract import Contract, Query
from contracts_abi import load
from engine.orders import Address
from tests.benchmarks.timing import Candidate, Goal, Row, duel
from tests.chain.vault_stage import Stage, owner, stage

OURS, SEQUENTIAL, BATCHED = "read_many", "web3.py, one by one", "web3.py, batch_requests"
RAW_BATCH, RAW_CALL = "raw batch", "raw multicall"
STATE, NAIVE_STATE = "state of a rebalance", "web3.py, the same reads one by one"
READS = 200
Asked = tuple[str, str, str, tuple[object, ...]]


def run(*, quick: bool = False) -> list[Row]:
    """Rows of W7; raises `AssertionError` where candidates read different answers."""
    rounds = 2 if quick else 7
    with ExitStack() as stack:
        s = stack.enter_context(stage())
        asked = questions(s)
        web3 = _client(s)
        theirs = [_theirs(web3, question) for question in asked]
        batch, call = _raw(s, asked)
        answers = s.chain.read_many(_queries(s, asked))
        assert [_plain(answer) for answer in answers] == [_plain(read.call()) for read in theirs]
        candidates = {
            RAW_CALL: Candidate(call),
            RAW_BATCH: Candidate(batch),
            OURS: Candidate(lambda: s.chain.read_many(_queries(s, asked))),
            SEQUENTIAL: Candidate(lambda: [read.call() for read in theirs]),
            BATCHED: Candidate(lambda: _batched(web3, theirs)),
        }
        goals = [Goal(OURS, RAW_CALL, 1.5), Goal(OURS, SEQUENTIAL, 0.02)]
        rows = duel("W7 200 reads", candidates, goals, items=READS, rounds=rounds, yardstick=RAW_CALL)
        return [*rows, *_state(s, web3, rounds)]


def questions(s: Stage) -> list[Asked]:
    """`READS` reads as interface, address, function and arguments."""
    pools = [pool.address for pool in s.uniswap.pools]
    tokens = [token.address for token in s.tokens.values()]
    kinds: list[Callable[[int], Asked]] = [
        lambda n: ("uniswap-v3-pool", pools[n % len(pools)], "slot0", ()),
        lambda n: ("uniswap-v3-pool", pools[n % len(pools)], "liquidity", ()),
        lambda n: ("erc20", tokens[n % len(tokens)], "balanceOf", (owner(1 + n % 9).address,)),
        lambda n: ("aave-v3-data-provider", s.dear.addresses.data_provider, "getUserReserveData",
                   (tokens[n % len(tokens)], s.holder.safe)),
        lambda n: ("lyra-option-market", s.lyra.addresses.market, "getStrike", (1 + n % 5,)),
    ]  # fmt: skip
    return [kinds[n % len(kinds)](n // len(kinds)) for n in range(READS)]


def _queries(s: Stage, asked: Sequence[Asked]) -> list[Query]:
    return [Contract(Address(at), load(name)).query(function, *arguments) for name, at, function, arguments in asked]


def _client(s: Stage) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from web3 import HTTPProvider, Web3
    assert isinstance(s.chain.node, AnvilNode)
    return Web3(HTTPProvider(s.chain.node.url))


def _theirs(web3: Any, question: Asked) -> Any:
    name, at, function, arguments = question
    return getattr(web3.eth.contract(address=at, abi=load(name)).functions, function)(*arguments)


def _batched(web3: Any, theirs: Sequence[Any]) -> list[Any]:
    with web3.batch_requests() as batch:
        for read in theirs:
            batch.add(read)
        found: list[Any] = batch.execute()
        return found


def _plain(answer: Any) -> Any:
    """An answer without names, so that two libraries' answers compare."""
    if isinstance(answer, dict):
        return [_plain(each) for each in answer.values()]
    if isinstance(answer, list | tuple):
        return [_plain(each) for each in answer]
    if hasattr(answer, "_asdict"):
        return [_plain(each) for each in answer._asdict().values()]
    return answer


def _raw(s: Stage, asked: Sequence[Asked]) -> tuple[Callable[[], object], Callable[[], object]]:
    """The same questions as bytes made once: as a batch, and as calls of the reading program."""
    assert isinstance(s.chain.node, AnvilNode)
    place = urlsplit(s.chain.node.url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port)
    queries = _queries(s, asked)
    there = {READER: {"code": "0x" + PROGRAM.hex()}}
    many = [({"to": q.to, "data": "0x" + q.data.hex()}, "latest") for q in queries]
    one = [({"to": READER, "data": "0x" + packed(queries).hex()}, "latest", there)]

    def sender(parameters: Sequence[object]) -> Callable[[], object]:
        body = json.dumps(
            [{"jsonrpc": "2.0", "id": n, "method": "eth_call", "params": p} for n, p in enumerate(parameters)]
        )

        def send() -> object:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())

        return send

    return sender(many), sender(one)


def _state(s: Stage, web3: Any, rounds: int) -> list[Row]:
    """Prices, lending terms, strikes and the vault's balances, each candidate with its address book known."""
    reader = s.reader
    also: dict[str, Reads[Any]] = {market.name: market.balance_reads(s.holder.safe) for market in reader.lending}
    reader.read(also=also)
    parts = [*reader._reads().values(), *also.values()]
    asked = [query for part in parts for query in part.queries]
    naive = [
        web3.eth.contract(address=q.to, abi=[q.entry]).get_function_by_name(q.entry["name"])(*_arguments(q))
        for q in asked
    ]
    candidates = {
        NAIVE_STATE: Candidate(lambda: [read.call() for read in naive]),
        STATE: Candidate(lambda: reader.read(also=also)),
    }
    goals = [Goal(STATE, NAIVE_STATE, float("nan"))]
    workload = f"W7 state of a rebalance, {len(asked)} reads"
    return duel(workload, candidates, goals, items=len(asked), rounds=rounds, yardstick=NAIVE_STATE)


def _arguments(query: Query) -> list[Any]:
    return list(Contract(query.to, [query.entry]).decode_call(query.data)[1].values())
