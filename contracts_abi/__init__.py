"""
Published interfaces of the contracts we talk to: one JSON per contract, only the entries used.

`SOURCES.toml` says for each which package, version, tarball hash, licence and artifact it was taken
from, on which chain and at which address it is (or why none is given), and the SHA-256 of our file. No
bytecode is kept here.
"""

import hashlib
import json
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from engine.errors import ConfigError

Abi = list[dict[str, Any]]


@cache
def sources() -> dict[str, Any]:
    """`SOURCES.toml` as read: `package` and `contract` tables by name."""
    return tomllib.loads(files(__name__).joinpath("SOURCES.toml").read_text(encoding="utf-8"))


@cache
def load(name: str) -> Abi:
    """
    The ABI of `name`, e.g. ``safe-1.4.1``, checked against the hash in `SOURCES.toml`.

    >>> {entry["type"] for entry in load("erc20")} == {"function", "event"}
    True
    """
    known = sources()["contract"]
    if name not in known:
        raise ConfigError(f"contract {name} unknown", why="SOURCES.toml does not list it", todo="list it there")
    text = files(__name__).joinpath(f"{name}.json").read_bytes()
    if hashlib.sha256(text).hexdigest() != known[name]["sha256"]:
        raise ConfigError(
            f"interface {name} refused",
            why="the file is not the one SOURCES.toml describes",
            todo="restore it, or review the change and record its hash",
        )
    abi: Abi = json.loads(text)
    return abi


def every() -> dict[str, Abi]:
    """Every interface we hold, by name."""
    return {name: load(name) for name in sources()["contract"]}
