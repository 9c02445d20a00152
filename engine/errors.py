"""
Every error the project raises.

    EngineError
    ├── InputError            CurrencyMismatch, InvalidStructure
    ├── ConfigError           ChainMismatch, LimitOutOfRange, UnknownKey
    ├── MarketDataError       StaleQuote, MissingQuote, ArbitrageInChain, UnreadableMarketFile
    ├── LimitBreached         carries every breach
    ├── ApprovalError         AwaitsApproval (ThresholdNotMet), PlanChanged, SnapshotExpired, AlreadyApplied;
    │                         the committee's own (NotSeated, VotedTwice, OutsideWindow, QuorumNotMet,
    │                         StillLocked, Rejected, ProposalExpired) and PaperGateShut stand beside their rules
    ├── VenueError            VenueUnavailable | OrderRejected | OutcomeUnknown
    ├── LedgerError           UnbalancedEntry, UnmatchedLot, DoesNotReconcile
    ├── StorageError          DiskFull, SchemaMismatch, Busy
    └── Halted                who halted, when and why

Each says what happened, why, and what the operator may do next; it is shown as one line.
"""

from collections.abc import Sequence


class EngineError(Exception):
    """
    What happened, why, and what to do next.

    >>> str(EngineError("plan refused", why="cap exceeded", todo="lower the target"))
    'plan refused: cap exceeded; lower the target'
    """

    def __init__(self, what: str, *, why: str, todo: str) -> None:
        self.what, self.why, self.todo = what, why, todo
        super().__init__(f"{what}: {why}; {todo}")


class InputError(EngineError):
    """The caller asked for something that has no meaning."""


class CurrencyMismatch(InputError):
    """Two amounts of different currencies were added or compared."""

    def __init__(self, left: str, right: str) -> None:
        self.left, self.right = left, right
        super().__init__(
            f"cannot combine {left} with {right}",
            why="amounts of different currencies have no common unit",
            todo="convert one of them at a dated rate first",
        )


class InvalidStructure(InputError):
    """Contract terms that no exchange or protocol would list."""

    def __init__(self, why: str) -> None:
        super().__init__("structure refused", why=why, todo="correct the terms")


class ConfigError(EngineError):
    """A setting is missing, unknown, or outside its range."""


class ChainMismatch(ConfigError):
    """The node serves another chain than the one configured."""

    def __init__(self, *, expected: int, found: int) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            f"chain id {found} refused",
            why=f"chain id {expected} is configured",
            todo="point the RPC at the configured chain or correct chain.chain_id",
        )


class LimitOutOfRange(ConfigError):
    """A limit is set outside the range its rule allows."""


class UnknownKey(ConfigError):
    """A key that no setting has."""


class MarketDataError(EngineError):
    """Market data that cannot support a decision."""


class UnreadableMarketFile(MarketDataError):
    """The file is not in a format we read, or breaks its own format."""


class StaleQuote(MarketDataError):
    """A quote or price older than its bound."""


class MissingQuote(MarketDataError):
    """A quote the decision needs is not there."""


class ArbitrageInChain(MarketDataError):
    """Quotes that a riskless trade would profit from beyond costs."""


class LimitBreached(EngineError):
    """A plan breaks hard limits; carries every breach, never retried, never trimmed."""

    def __init__(self, breaches: Sequence[object]) -> None:
        self.breaches = tuple(breaches)
        super().__init__(
            f"{len(self.breaches)} limit(s) breached",
            why="; ".join(str(breach) for breach in self.breaches),
            todo="make a smaller plan; a limit is never trimmed to fit",
        )


class ApprovalError(EngineError):
    """The plan lacks what it needs to be executed."""


class AwaitsApproval(ApprovalError):
    """Somebody's voice or some time is still missing; nothing is wrong."""


class ThresholdNotMet(AwaitsApproval):
    """Fewer owners signed than the vault asks for."""

    def __init__(self, *, signed: int, threshold: int) -> None:
        self.signed, self.threshold = signed, threshold
        super().__init__(
            f"{signed} of {threshold} approvals",
            why="fewer owners signed the plan and each of its vault transactions than the threshold",
            todo="let another owner run `hedge approve` on this plan",
        )


class PlanChanged(ApprovalError):
    """The plan's bytes are not the ones that were approved."""


class SnapshotExpired(ApprovalError):
    """The plan is past its deadline, or the state it was made from has moved."""


class AlreadyApplied(ApprovalError):
    """A plan is applied once."""


class VenueError(EngineError):
    """A venue did not do what was asked."""


class VenueUnavailable(VenueError):
    """Nothing was sent; safe to try again."""


class OrderRejected(VenueError):
    """The venue refused; trying again will not help."""


class OutcomeUnknown(VenueError):
    """It may have been sent; look it up before anything else."""


class LedgerError(EngineError):
    """The books refuse a posting or do not agree with a venue."""


class UnbalancedEntry(LedgerError):
    """Legs of one entry do not sum to zero."""

    def __init__(self, memo: str, residual: dict[str, str]) -> None:
        self.memo, self.residual = memo, residual
        super().__init__(
            f"entry {memo!r} does not balance",
            why=f"legs leave {residual}",
            todo="add the missing leg; the books accept no one-sided posting",
        )


class UnmatchedLot(LedgerError):
    """More was closed than is held."""


class DoesNotReconcile(LedgerError):
    """Ledger and venue disagree."""


class StorageError(EngineError):
    """The database cannot be written or read."""


class DiskFull(StorageError):
    """No room for a durable record."""


class SchemaMismatch(StorageError):
    """The database is ahead of or behind the program."""


class Busy(StorageError):
    """Somebody else holds the database or the run lock."""


class Halted(EngineError):
    """Trading is halted until an operator resumes it."""

    def __init__(self, *, by: str, at: str, reason: str) -> None:
        self.by, self.at, self.reason = by, at, reason
        super().__init__(
            f"halted by {by} at {at}",
            why=reason,
            todo="resolve that first; nothing new is risked until the halt is lifted",
        )
