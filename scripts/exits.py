"""Exit codes: stable, published in the README, tested."""

from engine.errors import (
    AlreadyApplied,
    ApprovalError,
    AwaitsApproval,
    Busy,
    ConfigError,
    DiskFull,
    DoesNotReconcile,
    EngineError,
    Halted,
    InputError,
    LedgerError,
    LimitBreached,
    MarketDataError,
    OrderRejected,
    SchemaMismatch,
    StorageError,
    VenueError,
)

DONE = 0
UNEXPECTED = 1
USAGE = 2
AWAITS_APPROVAL = 10
WAITING = 20
INTERRUPTED = 130

_CODES: tuple[tuple[type[EngineError], int], ...] = (
    (InputError, USAGE),
    (ConfigError, 78),
    (MarketDataError, 30),
    (LimitBreached, 31),
    (AwaitsApproval, AWAITS_APPROVAL),
    (AlreadyApplied, 12),
    (ApprovalError, 11),
    (OrderRejected, 21),
    (VenueError, WAITING),
    (DoesNotReconcile, 23),
    (LedgerError, 74),
    (SchemaMismatch, 74),
    (Busy, 75),
    (DiskFull, 73),
    (StorageError, 73),
    (Halted, 22),
)


def exit_code(error: EngineError) -> int:
    """
    The code for an error: the first row whose class it is.

    >>> from engine.errors import ThresholdNotMet
    >>> exit_code(ThresholdNotMet(signed=1, threshold=2))
    10
    """
    return next((code for kind, code in _CODES if isinstance(error, kind)), UNEXPECTED)
