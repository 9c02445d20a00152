"""An owner's key behind a command of the operator's: the digest goes in, a signature comes out, nothing else."""

import os
import re
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from adapters.safe.recovery import recover
from engine.errors import ApprovalError, ConfigError, OrderRejected
from engine.orders import Address

_ANSWER = re.compile(rb"0x([0-9a-f]{130})\n?")
_LONGEST = 4_096  # bytes read from a command; an answer has 133


@dataclass(frozen=True, slots=True)
class ExternalSigner:
    """
    An owner whose key is held by a command: a hardware wallet, another user, another machine.

    The command gets `0x`, the digest's 64 hex digits and a newline on its standard input, and answers with
    `0x`, 130 lower-case hex digits and at most one newline, within `seconds`. It runs without a shell and
    without our environment but PATH, HOME and LANG. What it answers is believed only when it recovers to
    `address` over the very digest (faults F66).

    Parameters
    ----------
    address : the owner
    command : absolute path of the program, then its arguments
    seconds : how long it may take, a person's confirmation included
    """

    address: Address
    command: tuple[str, ...]
    seconds: float = 120.0

    def __post_init__(self) -> None:
        program = Path(self.command[0]) if self.command else Path()
        if not program.is_absolute() or not program.is_file() or not os.access(program, os.X_OK):
            raise ConfigError(
                f"signer command of {self.address} refused",
                why=f"{program} is no absolute path of a program this user may run",
                todo="correct signer.command",
            )

    def sign(self, digest: bytes) -> bytes:
        """65 bytes over a 32-byte digest. Raises `ApprovalError`; what the command said is not repeated."""
        answer = _ANSWER.fullmatch(self._ask(f"0x{digest.hex()}\n".encode()))
        if answer is None:
            raise self._refused("its answer is not 0x and 130 hex digits")
        signature = bytes.fromhex(answer[1].decode())
        try:
            made_by = recover(digest, signature)
        except OrderRejected as broken:
            raise self._refused(f"its answer is no signature: {broken.why}") from broken
        if made_by != self.address:
            raise self._refused("it signed something else, or with another key")
        return signature

    def _ask(self, question: bytes) -> bytes:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        try:
            running = subprocess.Popen(  # noqa: S603 - the operator's own program, no shell
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=kept,
                start_new_session=True,
            )
        except OSError as broken:
            raise self._refused(f"it cannot be started: {broken.strerror}") from None
        with running:
            try:
                return self._answer(running, question)
            finally:
                _end(running)

    def _answer(self, running: subprocess.Popen[bytes], question: bytes) -> bytes:
        assert running.stdin is not None
        assert running.stdout is not None
        try:
            running.stdin.write(question)
            running.stdin.close()
        except BrokenPipeError:
            raise self._refused("it ended without reading the digest") from None
        said = _until_end(running.stdout, running, self.seconds)
        if said is None:
            raise self._refused(f"it gave no whole answer within {self.seconds:g} s")
        if running.wait():
            raise self._refused(f"it ended with {running.returncode}")
        return said

    def _refused(self, why: str) -> ApprovalError:
        return ApprovalError(
            f"signature of {self.address} refused", why=why, todo="check the signer command and the device behind it"
        )


def _until_end(source: IO[bytes], running: subprocess.Popen[bytes], seconds: float) -> bytes | None:
    """Everything the command says; None once it is too slow or too long."""
    said, until = b"", time.monotonic() + seconds
    with selectors.DefaultSelector() as ready:
        ready.register(source, selectors.EVENT_READ)
        while ready.select(max(0.0, until - time.monotonic())):
            piece = os.read(source.fileno(), _LONGEST)
            if not piece:
                return said if _ended(running, until - time.monotonic()) else None
            said += piece
            if len(said) > _LONGEST:
                return None
    return None


def _ended(running: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        running.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(running: subprocess.Popen[bytes]) -> None:
    """End the command, and what it started, unless it has ended by itself."""
    if running.returncode is None:
        os.killpg(running.pid, signal.SIGKILL)
