"""Settings and policy from TOML files, with errors that name the key, the value and the allowed range."""

import hashlib
import os
import re
import tomllib
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from engine.errors import ConfigError, LimitOutOfRange, UnknownKey
from engine.plan.canonical import canonical_bytes
from engine.policy.settings import Policy

ENVIRONMENT_PREFIX = "HEDGE__"
_ID = re.compile(r"[SXD]\d{2}\w?")
Model = TypeVar("Model", bound=BaseModel)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class PolicyFile(_Section):
    """Where the policy is."""

    file: str = "policy.toml"


class BrokerSettings(_Section):
    """Which broker adapter trades the condor book."""

    adapter: str = Field(default="paper", pattern="^paper$")


class ChainSettings(_Section):
    """Which node and chain the sleeve lives on."""

    rpc: str = "http://127.0.0.1:8545"
    chain_id: int = Field(default=31337, gt=0)


class FeedSettings(_Section):
    """One token's price feed: how often it promises to answer, and its address where no lending oracle names it."""

    heartbeat_seconds: int = Field(gt=0)
    address: str = Field(default="", pattern="^(0x[0-9a-fA-F]{40})?$")


class VaultSettings(_Section):
    """The Safe that holds the sleeve."""

    safe: str = ""
    threshold: int = Field(default=2, ge=1, le=20)


class LedgerSettings(_Section):
    """
    Where the journal is: empty for a file in the folder, or a PostgreSQL address that several desks share.

    An address with a password belongs into the environment, `HEDGE__LEDGER__URL`, not into the file.
    """

    url: SecretStr = SecretStr("")


class CommitteeSettings(_Section):
    """
    Who decides on the policy (S89): addresses of the members' keys, how many must agree, and hours for each step.

    Without members the policy file stands as it is written.
    """

    members: tuple[str, ...] = ()
    needed: int = Field(default=2, ge=1)
    voting_hours: float = Field(default=2.0, gt=0)
    lock_hours: float = Field(default=1.0, gt=0)
    grace_hours: float = Field(default=24.0, gt=0)
    auto_approve: bool = False


class Settings(_Section):
    """Where things are (`hedge.toml`); the numbers of the method are the policy's."""

    policy: PolicyFile = PolicyFile()
    broker: BrokerSettings = BrokerSettings()
    chain: ChainSettings = ChainSettings()
    vault: VaultSettings = VaultSettings()
    ledger: LedgerSettings = LedgerSettings()
    committee: CommitteeSettings = CommitteeSettings()
    feeds: dict[str, FeedSettings] = Field(default_factory=dict)


def load_settings(path: Path) -> Settings:
    """`hedge.toml`, overridden by `HEDGE__SECTION__KEY` variables. Raises `ConfigError`."""
    written = _read(path)
    for name, value in os.environ.items():
        if name.startswith(ENVIRONMENT_PREFIX):
            section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
            written.setdefault(section, {})[key] = int(value) if value.isdigit() else value
    return validated(Settings, written, path.name)


def load_policy(path: Path | None) -> Policy:
    """`policy.toml`, or the default policy when no file is named. Raises `ConfigError`."""
    return Policy() if path is None else validated(Policy, _read(path), path.name)


def parse_policy(text: str, name: str) -> Policy:
    """The policy in a TOML text that is called `name`. Raises `ConfigError`."""
    try:
        return validated(Policy, tomllib.loads(text), name)
    except tomllib.TOMLDecodeError as broken:
        raise ConfigError(f"{name} cannot be read", why=str(broken), todo="correct the text") from None


def policy_digest(policy: Policy) -> str:
    """SHA-256 over every number of the policy, as text."""
    return hashlib.sha256(canonical_bytes(_texts(policy.model_dump()))).hexdigest()


def validated(model: type[Model], written: dict[str, Any], name: str) -> Model:
    """A model from plain values; the first fault becomes a one-line `ConfigError`."""
    try:
        return model.model_validate(written)
    except ValidationError as refused:
        fault = refused.errors(include_input=False, include_url=False)[0]
        key = _key(written, fault["loc"])
        why = re.sub(r"^Value error, |Decimal\('([^']*)'\)", r"\1", str(fault["msg"]))
        field, value = _field(model, fault["loc"]), _lookup(written, fault["loc"])
        source = _source(field)
        if fault["type"] == "extra_forbidden":
            close = get_close_matches(str(fault["loc"][-1]), _keys(model), n=1)
            hint = f"did you mean {close[0]!r}?" if close else "remove it"
            raise UnknownKey(f"{name}: key {key}", why="no such setting", todo=hint) from None
        if "less_than" in fault["type"] or "greater_than" in fault["type"]:
            shares = str(value).endswith("%")
            raise LimitOutOfRange(
                f"{name}: {key} = {value}",
                why=(_in_percent(why) if shares else why) + source,
                todo=f"set a value {_range(field, shares=shares)}",
            ) from None
        what = key if isinstance(value, dict | list) else f"{key} = {value}"
        raise ConfigError(f"{name}: {what}" if key else name, why=why + source, todo="correct the value") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path} not found",
            why="there is no such file",
            todo="name an existing file, or make a folder: `hedge init`",
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as broken:
        raise ConfigError(f"{path.name} cannot be read", why=str(broken), todo="correct the file") from None


def _key(written: dict[str, Any], location: tuple[int | str, ...]) -> str:
    """The key path, a table's entry by its name rather than its number."""
    parts: list[str] = []
    for at, part in enumerate(location):
        entry = _lookup(written, location[: at + 1])
        named = entry.get("id") or entry.get("name") if isinstance(part, int) and isinstance(entry, dict) else None
        parts.append(str(named or part))
    return ".".join(parts)


def _field(model: type[BaseModel], location: tuple[int | str, ...]) -> FieldInfo | None:
    """The setting at a place; None inside a table, whose entries are no settings."""
    field = None
    for part in location:
        field = model.model_fields.get(str(part))
        if field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    return field


def _source(field: FieldInfo | None) -> str:
    """In brackets, the requirements that a setting comes from; nothing where it names none."""
    ids = _ID.findall((field.description or "").partition(":")[0]) if field is not None else []
    return f" ({', '.join(ids)})" if ids else ""


def _range(field: FieldInfo | None, *, shares: bool) -> str:
    """The bounds of a setting in words."""
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    bounds = [
        f"{word} {_percent(level)}" if shares else f"{word} {level}"
        for bound in (field.metadata if field is not None else ())
        for name, word in words.items()
        if (level := getattr(bound, name, None)) is not None
    ]
    return " and ".join(bounds) or "inside the allowed range"


def _in_percent(said: str) -> str:
    return re.sub(r"\d+(?:\.\d+)?$", lambda share: _percent(share.group()), said)


def _percent(share: object) -> str:
    return f"{(Decimal(str(share)) * 100).normalize():f}%"


def _lookup(written: dict[str, Any], location: tuple[int | str, ...]) -> Any:
    value: Any = written
    for part in location:
        if isinstance(value, dict):
            value = value.get(part, "?")
        else:
            value = value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else "?"
    return value


def _keys(model: type[BaseModel]) -> list[str]:
    names = list(model.model_fields)
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += list(field.annotation.model_fields)
    return names


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return str(value)
