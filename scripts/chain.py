"""`hedge chain`: the pinned contracts, and a local chain of real protocols that stays up between commands."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from adapters.evm.chain import Chain

app = typer.Typer(help="The pinned contract packages and the local chain.", no_args_is_help=True)

_START_SECONDS, _ANSWER_SECONDS = 60.0, 5.0


@app.command("fetch")
def fetch(
    check: bool = typer.Option(False, "--check", help="Only say whether everything is here."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """Bring the pinned contract packages into the cache, each against its hash."""
    from adapters.evm import packages
    from engine.errors import ConfigError
    from scripts.output import emit_json, note, say

    absent = packages.missing()
    if check and absent:
        raise ConfigError(
            f"{len(absent)} package(s) not here",
            why=", ".join(f"{pin.name} {pin.version}" for pin in absent),
            todo="run `hedge chain fetch`",
        )
    files = packages.fetch(progress=note) if absent else []
    pins = packages.pins().values()
    if as_json:
        rows = [{"name": pin.name, "version": pin.version, "sha512": pin.sha512} for pin in pins]
        emit_json({"schema": "hedge.chain-fetch/1", "status": "done", "fetched": len(files), "packages": rows})
    else:
        say(f"{len(pins)} packages here and checked, {len(absent)} fetched now")


@app.command("up")
def up(
    workspace: Path = typer.Option(Path(), "-C", help="Folder that keeps the chain's state."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """Start the local chain, or say where it runs already."""
    from scripts.output import emit_json, say

    found = running(workspace) or start(workspace)
    if as_json:
        emit_json({"schema": "hedge.chain/1", "status": "up", **found})
    else:
        say(f"chain {found['chain_id']} at {found['url']}, process {found['pid']}; stop it with `hedge chain down`")


@app.command("status")
def status(
    workspace: Path = typer.Option(Path(), "-C", help="Folder that keeps the chain's state."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """Whether the chain runs, its block and its clock."""
    from scripts.output import emit_json, say

    found = running(workspace)
    words: dict[str, Any] = {"status": "down"}
    if found is not None:
        from adapters.evm.chain import connect

        words = {"status": "up", **found, **connect(str(found["url"])).describe()}
    if as_json:
        emit_json({"schema": "hedge.chain/1", **words})
    else:
        say("\n".join(f"{key}: {value}" for key, value in words.items()))


@app.command("down")
def down(
    workspace: Path = typer.Option(Path(), "-C", help="Folder that keeps the chain's state."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """Stop the chain this folder started; its state is kept."""
    from scripts.output import emit_json, say

    stopped = stop(workspace)
    if as_json:
        emit_json({"schema": "hedge.chain/1", "status": "down", "stopped": stopped})
    else:
        say("chain stopped" if stopped else "no chain was running")


@app.command("serve", hidden=True)
def serve(workspace: Path = typer.Option(..., "-C")) -> None:
    """Hold the chain open until this process is ended."""
    import json
    import os
    import signal
    import threading
    from datetime import timedelta

    from adapters.evm.world import open_world

    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    state = _folder(workspace) / "state.json"
    again = state.is_file()
    with open_world(keep=state) as (chain, _):
        if again:  # it kept its last block alone: final ones, and averages over half an hour, stand on what it knows
            chain.warp(chain.block().at + timedelta(minutes=31))
            chain.mine_to_final()
        note = {"pid": os.getpid(), "url": local_url(chain), "chain_id": chain.chain_id}
        partial = _note(workspace).with_suffix(".partial")
        partial.write_text(json.dumps(note), encoding="utf-8")
        partial.replace(_note(workspace))
        ended.wait()
    _note(workspace).unlink(missing_ok=True)


def local_url(chain: "Chain") -> str:
    """Where a local node listens."""
    from adapters.evm.http_node import HttpNode

    assert isinstance(chain.node, HttpNode)
    return chain.node.url


def node_named(given: str) -> str:
    """
    A node's address as given, or out of the environment where given as `env:NAME`: a key in it is then on no
    command line. Raises `InputError` where there is no such variable.
    """
    import os

    from engine.errors import InputError

    kind, _, name = given.partition(":")
    if kind != "env":
        return given
    if not os.environ.get(name):
        raise InputError("--rpc refused", why=f"the environment has no {name}", todo="set it to the node's address")
    return os.environ[name]


def start(workspace: Path) -> dict[str, Any]:
    """Start the chain in a process of its own and wait until it answers."""
    import subprocess
    import sys
    import time

    from engine.errors import VenueUnavailable

    log = _log(workspace)
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", "scripts.hedge", "chain", "serve", "-C", str(workspace.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if found := running(workspace):
            return found
        time.sleep(0.05)
    last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    raise VenueUnavailable(
        "the local chain did not start", why=" ".join(last) or "it ended at once", todo=f"see {log.name} beside it"
    )


def stop(workspace: Path) -> bool:
    """End the chain's process, if it runs; waits until it is gone."""
    import os
    import signal
    import time

    found = running(workspace)
    if found is None:
        return False
    os.kill(int(found["pid"]), signal.SIGTERM)
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and _alive(int(found["pid"])) and _note(workspace).exists():
        time.sleep(0.05)
    return True


def running(workspace: Path) -> dict[str, Any] | None:
    """
    Where this folder's chain runs (`pid`, `url`, `chain_id`), None if it does not.

    A note may outlive its process and name one of somebody else: it is believed while its node answers for its chain.
    """
    import json

    try:
        found = json.loads(_note(workspace).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    kinds = {"pid": int, "url": str, "chain_id": int}
    if not isinstance(found, dict) or any(type(found.get(name)) is not kind for name, kind in kinds.items()):
        return None
    return found if _alive(found["pid"]) and _answers(found["url"], found["chain_id"]) else None


def _alive(pid: int) -> bool:
    import os

    if pid <= 1:  # groups of processes, and the first one
        return False
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return True


def _answers(url: str, chain_id: int) -> bool:
    from adapters.evm.chain import connect
    from engine.errors import EngineError

    try:
        connect(url, expected_chain_id=chain_id, timeout=_ANSWER_SECONDS).close()
    except EngineError:
        return False
    return True


def _log(workspace: Path) -> Path:
    """Where the chain's process writes, in a folder made for it. Raises `ConfigError` where none can be made."""
    from engine.errors import ConfigError

    folder = _folder(workspace)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "chain.log").touch()
    except OSError as refused:
        raise ConfigError(
            f"-C {workspace} refused", why=f"no chain can be kept there: {refused}", todo="name a folder to write to"
        ) from None
    return folder / "chain.log"


def _folder(workspace: Path) -> Path:
    return workspace.resolve() / "chain"


def _note(workspace: Path) -> Path:
    return _folder(workspace) / "running.json"
