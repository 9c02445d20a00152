"""What this desk sent and proposed before, as its journal remembers it."""

import json
from itertools import takewhile

from adapters.evm.chain import Chain
from adapters.evm.finality import attempt
from adapters.sql.journal import SqlJournal
from engine.ledger.posting import gas_key
from engine.orders import Address, SafeTx
from engine.plan.canonical import parse

RAW = "raw:"
"""Before a native transaction's hash: the intent under which its bytes were kept before they left."""


def unsettled(journal: SqlJournal, chain: Chain, sender: Address) -> tuple[bytes, ...]:
    """Raw transactions of ours, oldest first, whose nonce no final block has used yet."""
    used = chain.nonce(sender, block=chain.heads().final)
    remembered = (bytes.fromhex(kept.text) for kept in reversed(journal.intents(RAW)))
    return tuple(takewhile(lambda raw: attempt(raw).nonce >= used, remembered))[::-1]


def unbooked(journal: SqlJournal, chain_id: int) -> tuple[str, ...]:
    """Hashes of raw transactions of ours whose gas is not in the books: never mined, or nobody has looked yet."""
    names = [kept.key.removeprefix(RAW) for kept in journal.intents(RAW)]
    booked = journal.posted(gas_key(chain_id, name) for name in names)
    return tuple(name for name in names if gas_key(chain_id, name) not in booked)


def proposed(journal: SqlJournal) -> tuple[SafeTx, ...]:
    """Every Safe transaction of the plans on the journal's shelf, cancels included, whatever became of them."""
    plans = (parse(json.loads(stored.document)) for stored in journal.plans())
    return tuple(tx for plan in plans for batch in plan.batches for tx in (batch.transaction, batch.cancel))
