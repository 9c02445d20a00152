"""An owner's key, read from an encrypted keystore file and never shown."""

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_keys.datatypes import PrivateKey

from adapters.evm.native import signed
from adapters.evm.wire import address
from engine.errors import ApprovalError, ConfigError
from engine.orders import Address

_LARGEST_FILE, _MOST_BRACKETS = 65_536, 64  # bytes; a keystore nests four deep, a hostile one as deep as it likes
_MOST_MEMORY = 512 * 1024 * 1024  # bytes scrypt may take: 128 * n * r
_MOST_WORK = 1 << 24  # n * r * p: eight times what wallets write
_MOST_LANES = 16  # p
_MOST_ROUNDS = 10_000_000  # pbkdf2


@dataclass(frozen=True, slots=True)
class OwnerKey:
    """An unlocked key; shows its address only."""

    address: Address
    _secret: PrivateKey = field(repr=False, compare=False)

    def sign(self, digest: bytes) -> bytes:
        """65 bytes r, s, v with v 27 or 28 over a 32-byte digest."""
        made = self._secret.sign_msg_hash(digest).to_bytes()
        return made[:64] + bytes([made[64] + 27])

    def sign_native(self, transaction: dict[str, Any]) -> bytes:
        """Raw bytes of a signed native transaction (`adapters.evm.native`)."""
        return signed(transaction, self.sign)


def from_secret(secret: bytes) -> OwnerKey:
    """The key behind 32 secret bytes: for local chains and tests; live keys come from `unlock`."""
    key = PrivateKey(secret)
    return OwnerKey(address(key.public_key.to_canonical_address()), key)


def unlock(path: Path, passphrase: str | bytes) -> OwnerKey:
    """
    The key in an encrypted keystore file (version 3).

    Parameters
    ----------
    path : a regular file that only its owner may read or write
    passphrase : given by the caller, kept nowhere, in no message

    Raises
    ------
    ConfigError : the file is missing, readable by others, not a keystore, or too costly to open
    ApprovalError : the passphrase does not open it

    Source
    ------
    Web3 Secret Storage Definition, version 3.
    """
    from eth_account import Account

    stored = _keystore(path)
    _bounded(path, stored)
    try:
        words = passphrase.decode() if isinstance(passphrase, bytes) else passphrase
        secret = Account.decrypt(stored, words)
    except (ValueError, KeyError, TypeError):
        raise ApprovalError(
            f"key file {path.name} stays locked", why="the passphrase does not open it", todo="type it again"
        ) from None
    key = from_secret(bytes(secret))
    claimed = str(stored.get("address", "")).removeprefix("0x").lower()
    if claimed and claimed != key.address[2:].lower():
        raise _unfit(path, "its address is not that of its key", "restore the file from its back-up")
    return key


def _keystore(path: Path) -> dict[str, Any]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as broken:
        raise _unfit(path, broken.strerror or "it cannot be opened", "correct signer.keystore") from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise _unfit(path, "it is not a regular file", "correct signer.keystore")
        if found.st_mode & 0o077:
            raise _unfit(path, f"others may use it (mode {found.st_mode & 0o777:o})", f"chmod 600 {path}")
        raw = os.read(handle, _LARGEST_FILE + 1)
    finally:
        os.close(handle)
    fits = len(raw) <= _LARGEST_FILE and raw.count(b"[") + raw.count(b"{") <= _MOST_BRACKETS
    try:
        stored = json.loads(raw) if fits else None
    except ValueError:
        stored = None
    if not isinstance(stored, dict):
        raise _unfit(path, "it is not a keystore", "make one with your wallet")
    return stored


def _bounded(path: Path, stored: dict[str, Any]) -> None:
    """Refuse a file that would take the machine's memory or hours to open (faults F72)."""
    crypto = stored.get("crypto", stored.get("Crypto"))
    cost = crypto.get("kdfparams") if isinstance(crypto, dict) else None
    if not isinstance(crypto, dict) or not isinstance(cost, dict):
        raise _unfit(path, "it names no key derivation", "make a version 3 keystore with your wallet")
    names = ("n", "r", "p") if crypto.get("kdf") == "scrypt" else ("c",)
    values = [cost.get(name) for name in names]
    if not all(type(value) is int and value > 0 for value in values):
        raise _unfit(path, "its key derivation is not understood", "make a version 3 keystore with your wallet")
    n, r, p = (int(v or 0) for v in (*values, 1, 1)[:3])
    heavy = (
        n > _MOST_ROUNDS if names == ("c",) else 128 * n * r > _MOST_MEMORY or n * r * p > _MOST_WORK or p > _MOST_LANES
    )
    if heavy:
        raise _unfit(path, "opening it would take too much memory or time", "make it again at a usual cost")


def _unfit(path: Path, why: str, todo: str) -> ConfigError:
    return ConfigError(f"key file {path.name} refused", why=why, todo=todo)
