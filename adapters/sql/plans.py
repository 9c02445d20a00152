"""Plans, their approvals and their states: a plan is applied once, whoever asks, however often."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select

from adapters.sql.chain import append
from adapters.sql.schema import Row, written_instant
from adapters.sql.storage import Storage
from adapters.sql.wire import canonical
from engine.errors import AlreadyApplied, ApprovalError, InputError, PlanChanged

_PLANS, _APPROVALS, _STATES = (Row.metadata.tables[name] for name in ("plans", "approvals", "plan_states"))


class PlanState(StrEnum):
    """Where a plan stands. `withdrawn` is one that was given up or expired before it was applied."""

    PLANNED = "planned"
    APPROVED = "approved"
    APPLYING = "applying"
    APPLIED = "applied"
    UNWOUND = "unwound"
    WITHDRAWN = "withdrawn"


OPEN = frozenset({PlanState.PLANNED, PlanState.APPROVED, PlanState.APPLYING})
"""States of a plan that still waits for something."""

_NEXT = {
    PlanState.PLANNED: {PlanState.APPROVED, PlanState.WITHDRAWN},
    PlanState.APPROVED: {PlanState.APPLYING, PlanState.WITHDRAWN},
    PlanState.APPLYING: {PlanState.APPLIED, PlanState.UNWOUND},
}
_USED = frozenset({PlanState.APPLYING, PlanState.APPLIED, PlanState.UNWOUND})


@dataclass(frozen=True, slots=True)
class StoredApproval:
    """One owner's approval, as the document that was saved."""

    owner: str
    document: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan's document, its approvals, and each state it reached with the instant, in order."""

    digest: str
    document: str
    history: tuple[tuple[PlanState, datetime], ...]
    approvals: tuple[StoredApproval, ...]

    @property
    def state(self) -> PlanState:
        """The last state it reached."""
        return self.history[-1][0]


class Plans(Storage):
    """The shelf of plans in the journal's database."""

    def save_plan(self, digest: str, document: str, at: datetime) -> bool:
        """
        Keep a plan in the state `planned`; False if it is there already.

        Raises `PlanChanged` if another document has that digest.
        """
        with self.writing() as connection:
            kept = connection.execute(select(_PLANS.c.document).where(_PLANS.c.digest == digest)).scalar_one_or_none()
            if kept is not None:
                if kept != document:
                    raise PlanChanged(
                        f"plan {digest[:12]} refused",
                        why="another document is kept under its digest",
                        todo="make the plan again",
                    )
                return False
            serial = append(connection, "plan", digest, written_instant(at), document)
            row = {"serial": serial, "digest": digest, "document": document, "at": at}
            connection.execute(insert(_PLANS), row)
            _reach(connection, digest, PlanState.PLANNED, at)
            return True

    def save_approval(self, digest: str, owner: str, document: str, at: datetime) -> bool:
        """
        Keep one owner's approval; False if that owner has approved already (the first one stands).

        Raises `AlreadyApplied` once the plan is being applied, `InputError` if it is unknown.
        """
        with self.writing() as connection:
            state = _state(connection, digest)
            if state in _USED:
                raise _already(digest, state)
            approved = select(_APPROVALS.c.serial).where(_APPROVALS.c.digest == digest, _APPROVALS.c.owner == owner)
            if connection.execute(approved).first():
                return False
            body = canonical({"digest": digest, "owner": owner, "document": document})
            serial = append(connection, "approval", f"{digest}:{owner}", written_instant(at), body)
            row = {"serial": serial, "digest": digest, "owner": owner, "document": document, "at": at}
            connection.execute(insert(_APPROVALS), row)
            return True

    def advance(self, digest: str, to: PlanState, at: datetime) -> PlanState:
        """
        Move a plan on; returns the state it was in.

        The move is one transaction under the write lock: of two that start applying the same plan one
        gets `AlreadyApplied`. Approving an approved plan changes nothing. Raises `ApprovalError` for a
        move that is not allowed, such as applying what nobody approved.
        """
        with self.writing() as connection:
            state = _state(connection, digest)
            if to is state is PlanState.APPROVED:
                return state
            if to not in _NEXT.get(state, ()):
                if state in _USED:
                    raise _already(digest, state)
                raise ApprovalError(
                    f"plan {digest[:12]} cannot become {to}",
                    why=f"it is {state}",
                    todo="see `hedge plan outstanding`, or make a new plan",
                )
            _reach(connection, digest, to, at)
            return state

    def plan(self, digest: str) -> StoredPlan | None:
        """The plan with that digest, None if it was never saved."""
        found = self._select(digest)
        return found[0] if found else None

    def plans(self, *, only_open: bool = False) -> tuple[StoredPlan, ...]:
        """Every plan in order of saving; only those that still wait for something if asked."""
        return tuple(plan for plan in self._select() if not only_open or plan.state in OPEN)

    def _select(self, digest: str | None = None) -> tuple[StoredPlan, ...]:
        with self.reading() as connection:
            plans, approvals, states = (
                connection.execute(
                    (select(table) if digest is None else select(table).where(table.c.digest == digest)).order_by(
                        table.c.serial
                    )
                ).all()
                for table in (_PLANS, _APPROVALS, _STATES)
            )
        return tuple(
            StoredPlan(
                plan.digest,
                plan.document,
                tuple((PlanState(row.state), row.at) for row in states if row.digest == plan.digest),
                tuple(
                    StoredApproval(row.owner, row.document, row.at) for row in approvals if row.digest == plan.digest
                ),
            )
            for plan in plans
        )


def _state(connection: Connection, digest: str) -> PlanState:
    reached = select(_STATES.c.state).where(_STATES.c.digest == digest).order_by(_STATES.c.serial.desc())
    found = connection.execute(reached.limit(1)).scalar_one_or_none()
    if found is None:
        raise InputError(
            f"plan {digest[:12]} unknown", why="it was never saved here", todo="check the digest and the database"
        )
    return PlanState(found)


def _reach(connection: Connection, digest: str, state: PlanState, at: datetime) -> None:
    body = canonical({"digest": digest, "state": state.value})
    serial = append(connection, "plan_state", f"{digest}:{state}", written_instant(at), body)
    connection.execute(insert(_STATES), {"serial": serial, "digest": digest, "state": state.value, "at": at})


def _already(digest: str, state: PlanState) -> AlreadyApplied:
    return AlreadyApplied(
        f"plan {digest[:12]} is {state}",
        why="a plan is applied once",
        todo="`hedge apply` continues one that is unfinished; else make a new plan",
    )
