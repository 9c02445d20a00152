"""A rule and a seat of the committee as a policy file writes them."""

from pydantic import BaseModel, ConfigDict, Field

from engine.signals.panel import Family


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RuleText(_Section):
    """One rule as written: conditions, how many must hold, what follows, and where it comes from."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    when: tuple[str, ...] = Field(min_length=1)
    then: tuple[str, ...] = Field(min_length=1)
    source: str
    says: str
    quorum: int | None = None
    until: tuple[str, ...] = ()
    until_quorum: int = 1


class MemberText(_Section):
    """One seat in a family: for more risk when every `more` holds, for less when any `less` does, else hold."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    family: Family
    more: tuple[str, ...] = Field(min_length=1)
    less: tuple[str, ...] = Field(min_length=1)
    source: str
