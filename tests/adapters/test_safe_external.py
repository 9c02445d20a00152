"""Signatures from a command: only the right 65 bytes, in time, over the very digest."""

import sys
import time

import pytest

from adapters.evm.wire import address
from adapters.safe.eip712 import safe_tx
from adapters.safe.external import ExternalSigner
from adapters.safe.keystore import from_secret
from adapters.safe.signatures import sign_transaction
from engine.errors import ApprovalError, ConfigError

KEY = from_secret(b"\x11" * 32)
DIGEST = b"\x42" * 32
SIGNED = "0x" + KEY.sign(DIGEST).hex()


def command(body: str, *, seconds: float = 10.0, owner=KEY.address) -> ExternalSigner:
    """A signer whose program is this interpreter running `body`; `asked` is the line it was given."""
    source = f"import sys\nasked = sys.stdin.readline()\n{body}"
    return ExternalSigner(owner, (sys.executable, "-I", "-S", "-c", source), seconds)


def answering(text: str, **terms) -> ExternalSigner:
    return command(f"sys.stdout.write({text!r})", **terms)


@pytest.mark.parametrize("end", ["", "\n"])
def test_the_right_answer_is_taken(end):
    assert answering(SIGNED + end).sign(DIGEST) == KEY.sign(DIGEST)


def test_the_command_is_given_the_digest_and_nothing_else():
    body = f"rest = sys.stdin.read()\nassert (asked, rest) == ('0x{DIGEST.hex()}\\n', ''), asked\nprint({SIGNED!r})"

    assert command(body).sign(DIGEST) == KEY.sign(DIGEST)


def test_the_command_sees_nothing_of_our_environment(monkeypatch):
    monkeypatch.setenv("HEDGE_PASSPHRASE", "canary")
    body = f"import os\nassert 'canary' not in os.environ.values()\nprint({SIGNED!r})"

    assert command(body).sign(DIGEST)


def test_a_transaction_is_signed_through_it_as_with_the_key():
    safe = address("0x" + "5a" * 20)
    tx = safe_tx(chain_id=10, safe=safe, to=safe, value=0, data=b"", operation=0, nonce=3)
    expected = sign_transaction(tx, KEY)

    assert sign_transaction(tx, answering("0x" + expected.hex())) == expected


@pytest.mark.fault("F66")
class TestRefused:
    def refused(self, signer: ExternalSigner, match: str) -> None:
        with pytest.raises(ApprovalError, match=match) as error:
            signer.sign(DIGEST)
        assert SIGNED not in str(error.value)

    def test_a_signature_over_another_digest(self):
        self.refused(answering("0x" + KEY.sign(bytes(32)).hex()), "signed something else")

    def test_a_signature_of_another_key(self):
        self.refused(answering("0x" + from_secret(b"\2" * 32).sign(DIGEST).hex()), "with another key")

    @pytest.mark.parametrize(
        "said",
        ["", "0x", SIGNED[2:], SIGNED[:-1], SIGNED + "0", SIGNED.upper(), SIGNED + "\n\n", " " + SIGNED, SIGNED * 2],
    )
    def test_an_answer_of_another_form(self, said):
        self.refused(answering(said), "not 0x and 130 hex digits")

    @pytest.mark.parametrize("last", ["00", "01", "1f", "ff"])
    def test_another_kind_of_signature(self, last):
        self.refused(answering(SIGNED[:-2] + last), "no signature")

    def test_a_command_that_fails_though_it_answered(self):
        self.refused(command(f"print({SIGNED!r})\nsys.exit(3)"), "ended with 3")

    def test_a_command_that_floods_us(self):
        self.refused(command("while True: sys.stdout.write('0' * 65536)"), "no whole answer")

    def test_a_command_that_never_answers_is_ended_with_what_it_started(self, tmp_path):
        late = tmp_path / "late"
        child = f"import time; time.sleep(1.0); open({str(late)!r}, 'w')"
        body = f"import subprocess, time\nsubprocess.Popen([{sys.executable!r}, '-c', {child!r}])\ntime.sleep(60)"
        begun = time.monotonic()

        self.refused(command(body, seconds=0.6), r"within 0\.6 s")

        assert time.monotonic() - begun < 5
        time.sleep(1.1)
        assert not late.exists()

    def test_a_command_that_answers_and_stays(self):
        self.refused(
            command(f"import os, time\nprint({SIGNED!r}, flush=True)\nos.close(1)\ntime.sleep(60)", seconds=0.5),
            "within",
        )

    def test_a_command_that_reads_nothing(self):
        signer = ExternalSigner(KEY.address, (sys.executable, "-I", "-S", "-c", "pass"))

        self.refused(signer, "hex digits|without reading")


@pytest.mark.parametrize("path", ["sign-it", "/nowhere/sign-it", "/", ""])
def test_what_is_no_program_is_refused_at_once(path):
    with pytest.raises(ConfigError, match="absolute path of a program"):
        ExternalSigner(KEY.address, (path,) if path else ())
