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
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from adapters.evm.anvil import AnvilNode
from adapters.evm.batch_reads import PROGRAM, READER, Reads, packed
from adapters.evm.contract import Contract, Query
from adapters.evm.deploy_builder import account
from adapters.evm.price_guard import pool_reads
from adapters.evm.transactions import Executor
from contracts_abi import load
from engine.orders import Address
from tests.benchmarks.timing import Candidate, Goal, Row, duel
from tests.chain.vault_stage import Stage, owner, stage

OURS, SEQUENTIAL, BATCHED = "read_many", "web3.py, one by one", "web3.py, batch_requests"
RAW_BATCH, RAW_CALL = "raw batch", "raw multicall"
STATE, NAIVE_STATE = "state of a rebalance", "web3.py, the same reads one by one"
REBALANCE, NAIVE = "rebalance", "web3.py, step by step"
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
        answers = s.chain.read_many(_queries(asked))
        assert [_plain(answer) for answer in answers] == [_plain(read.call()) for read in theirs]
        candidates = {
            RAW_CALL: Candidate(call),
            RAW_BATCH: Candidate(batch),
            OURS: Candidate(lambda: s.chain.read_many(_queries(asked))),
            SEQUENTIAL: Candidate(lambda: [read.call() for read in theirs]),
            BATCHED: Candidate(lambda: _batched(web3, theirs)),
        }
        goals = [Goal(OURS, RAW_CALL, 1.5), Goal(OURS, SEQUENTIAL, 0.02)]
        rows = duel("W7 200 reads", candidates, goals, items=READS, rounds=rounds, yardstick=RAW_CALL)
        return [*rows, *_state(s, web3, rounds), *_rebalance(s, web3, asked, rounds)]


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


def _queries(asked: Sequence[Asked]) -> list[Query]:
    """Encoded anew each time; the contracts themselves are held, as venues hold theirs."""
    return [_held(name, at).query(function, *arguments) for name, at, function, arguments in asked]


@cache
def _held(name: str, at: str) -> Contract:
    return Contract(Address(at), load(name))


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
    queries = _queries(asked)
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
    """Prices, terms, strikes, pools, the Safe and all it holds, each candidate with its address book known."""
    reader = s.reader
    also: dict[str, Reads[Any]] = {market.name: market.balance_reads(s.holder.safe) for market in reader.lending}
    also |= {f"pool {pool.address}": pool_reads(pool, 300) for pool in s.uniswap.pools}
    tokens = [token.contract for token in s.tokens.values()]
    also["cash"] = Reads(tuple(token.query("balanceOf", s.holder.safe) for token in tokens), list)
    spenders = (s.cheap.addresses.pool, s.dear.addresses.pool, s.uniswap.router.address, s.lyra.addresses.market)
    approvals = tuple(token.query("allowance", s.holder.safe, spender) for token in tokens for spender in spenders)
    also["approvals"] = Reads(approvals, list)
    also["safe"] = Reads(tuple(s.safe.query(name) for name in ("getOwners", "getThreshold", "nonce")), tuple)
    also["options"] = Reads((s.lyra.tokens.query("getOwnerPositions", s.holder.safe),), tuple)
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
    goals = [Goal(STATE, NAIVE_STATE, 0.02)]
    workload = f"W7 state of a rebalance, {len(asked)} reads"
    return duel(workload, candidates, goals, items=len(asked), rounds=rounds, yardstick=NAIVE_STATE)


def _rebalance(s: Stage, web3: Any, asked: Sequence[Asked], rounds: int) -> list[Row]:
    """The reads, then three transfers: each tried first, sent, and awaited until it is mined (ours until final)."""
    payer, theirs = owner(6), [_theirs(web3, question) for question in asked]
    s.world.mint(s.chain, "USDC", payer.address, 10**12)
    token, there = s.tokens["USDC"].contract, owner(7).address
    executor = Executor(s.chain, payer, remember=lambda *_: None, local=True)
    transfer = web3.eth.contract(address=token.address, abi=load("erc20")).functions.transfer(there, 1)
    data = token.encode("transfer", there, 1)

    def ours() -> None:
        s.chain.read_many(_queries(asked))
        for _ in range(3):
            s.chain.call(token.address, data, sender=payer.address)
        for _ in range(3):
            assert executor.send(token.address, data).status == 1

    def naive() -> None:
        for read in theirs:
            read.call()
        for _ in range(3):
            transfer.call({"from": payer.address})
        for _ in range(3):
            terms = {"from": payer.address, "nonce": web3.eth.get_transaction_count(payer.address)}
            signed = web3.eth.account.sign_transaction(transfer.build_transaction(terms), account(6).key)
            sent = web3.eth.send_raw_transaction(signed.raw_transaction)
            assert web3.eth.wait_for_transaction_receipt(sent)["status"] == 1

    candidates = {NAIVE: Candidate(naive), REBALANCE: Candidate(ours)}
    goals = [Goal(REBALANCE, NAIVE, 0.05)]
    workload = "W7 rebalance: 200 reads, 3 simulations, 3 mined"
    return duel(workload, candidates, goals, items=READS, rounds=rounds, yardstick=NAIVE)


def _arguments(query: Query) -> list[Any]:
    return list(Contract(query.to, [query.entry]).decode_call(query.data)[1].values())
