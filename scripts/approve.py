"""`hedge approve`: everything derived again from a plan's bytes, then one owner's signatures, wherever its key is."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from adapters.safe.signers import KeySigner, Signer
    from engine.orders import Address
    from scripts.desk import Desk


def approve(
    plan_file: Path = typer.Argument(..., help="Plan file."),
    keys: list[Path] = typer.Option([], "--key", help="Encrypted keystore of one owner."),
    passphrase: str = typer.Option("fd:0", "--passphrase", help="Where to read it: fd:N, file:PATH or env:NAME."),
    command: str = typer.Option(
        "", "--command", help="Program that signs for --owner: a digest on its input, a signature on its output."
    ),
    owner: str = typer.Option("", "--owner", help="Owner whose key is behind --command."),
    contract: str = typer.Option("", "--contract", help="Safe that owns the vault; the keys named sign for it."),
    workspace: Path = typer.Option(Path(), "-C", help="Workspace folder."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """
    Derive everything again from the plan's bytes and add one owner's signatures.

    The owner is a keystore (--key), a program that holds the key (--command and --owner), or a Safe among
    the vault's owners (--contract, with the keys or the program of its own owners).
    """
    from scripts import flow
    from scripts.output import emit_json, say
    from scripts.rebalance import described, shown
    from scripts.workspace import approval_path, opened, read_plan, save_approval

    plan = read_plan(plan_file)
    with opened(workspace) as (_, desk):
        flow.current(desk, plan)
        signer = signer_of(desk, _keys(keys, passphrase, command, owner), contract)
        approval = flow.sign(desk, plan, signer)
        path = approval_path(plan_file, approval.owner)
        save_approval(path, approval)
        threshold = desk.vault.terms().threshold
    if as_json:
        emit_json(
            {
                "schema": "hedge.approve/1",
                "status": "signed",
                "plan_digest": plan.digest,
                "owner": approval.owner,
                "approval": str(path),
                "signatures": 1 + len(approval.transaction_signatures),
                "threshold": threshold,
                "next": [f"hedge apply {plan_file} -C {workspace}"],
            }
        )
    else:
        shown(described(plan))
        say(f"{approval.owner} signed the plan and {len(approval.transaction_signatures)} Safe transactions: {path}")


def signer_of(desk: "Desk", keys: list["KeySigner"], contract: str) -> "Signer":
    """
    The one owner of the vault that `keys` sign for: the key itself, or the Safe `contract` that they own.

    Raises `InputError` for more or fewer keys than that takes, `ApprovalError` where it is no owner today.
    """
    from adapters.safe.contract_owners import SafeOwner
    from engine.errors import ApprovalError, InputError

    if contract:
        signer: Signer = SafeOwner(address_of(contract, "--contract"), desk.chain.chain_id, tuple(keys))
    elif len(keys) == 1:
        signer = keys[0]
    else:
        raise InputError(
            f"{len(keys)} signers refused",
            why="an approval is one owner's",
            todo="name one --key, or --command with --owner; several only with --contract",
        )
    if signer.address not in desk.vault.terms().owners:
        raise ApprovalError(
            f"signer {signer.address} refused", why="it is no owner of the Safe today", todo="name an owner's key"
        )
    return signer


def address_of(text: str, option: str) -> "Address":
    """An address as the operator spelled it. Raises `InputError` unless its checksum is right (EIP-55)."""
    from eth_utils.address import is_checksum_address

    from engine.errors import InputError
    from engine.orders import Address

    if not is_checksum_address(text):
        raise InputError(
            f"{option} {text} refused", why="it is no address with its checksum (EIP-55)", todo="correct the address"
        )
    return Address(text)


def read_passphrase(source: str) -> str:
    """A passphrase from a file descriptor, a file or an environment variable; never from the command line."""
    import os

    from engine.errors import InputError

    kind, _, name = source.partition(":")
    try:
        match kind:
            case "fd" if name.isdigit():
                with os.fdopen(os.dup(int(name)), encoding="utf-8") as given:
                    return given.readline().rstrip("\n")
            case "file":
                return Path(name).read_text(encoding="utf-8").rstrip("\n")
            case "env" if name in os.environ:
                return os.environ[name]
    except OSError as failed:
        raise InputError("passphrase not read", why=str(failed.strerror), todo="check the source named") from None
    raise InputError(
        "passphrase source refused", why="it is none of fd:N, file:PATH, env:NAME", todo="name one of them"
    )


def _keys(paths: list[Path], passphrase: str, command: str, owner: str) -> list["KeySigner"]:
    import shlex

    from adapters.safe.external import ExternalSigner
    from adapters.safe.keystore import unlock
    from engine.errors import InputError

    if bool(command) != bool(owner):
        raise InputError("signer refused", why="--command and --owner belong together", todo="name both")
    secret = read_passphrase(passphrase) if paths else ""
    found: list[KeySigner] = [unlock(path, secret) for path in paths]
    if command:
        found.append(ExternalSigner(address_of(owner, "--owner"), tuple(shlex.split(command))))
    return found
