"""`hedge init`: a new workspace with a local chain, a funded Safe and an opening book."""

from pathlib import Path

import typer

DAY = "2018-04-25"


def init(
    folder: Path = typer.Argument(..., help="New or empty folder."),
    chain_file: Path | None = typer.Option(None, "--chain", help="Recorded SPX chain the desk stands on."),
    day: str = typer.Option(DAY, "--day", help="Recorded day, 2014 to 2018, where no chain is given."),
    policy_file: Path | None = typer.Option(None, "--policy", help="Policy to copy; the default otherwise."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """Make a workspace: settings, simulated co-signers, a local chain with a funded Safe, an opening book."""
    import json
    from datetime import date

    from adapters.evm.chain import connect
    from adapters.evm.world import base_world
    from adapters.files.observation import demo_day, recorded_day
    from adapters.files.policy_file import read_policy, written
    from adapters.safe.role_document import document
    from engine.errors import InputError
    from scripts import chain as local_chain
    from scripts.desk import call_policy, open_journal
    from scripts.output import emit_json, say
    from scripts.setup import furnish, write_cosigners
    from scripts.workspace import CALL_POLICY, LEDGER, SETTINGS, STANDING

    root = folder.resolve()
    if root.exists() and any(root.iterdir()):
        raise InputError(f"{folder} refused", why="the folder is not empty", todo="name a new folder")
    try:
        stand = date.fromisoformat(day)
    except ValueError:
        raise InputError(f"--day {day!r} refused", why="it is no date", todo="write it as 2018-04-24") from None
    policy = read_policy(policy_file)
    market = recorded_day(chain_file) if chain_file else demo_day(stand)
    world = base_world()
    root.mkdir(parents=True, exist_ok=True)
    running = local_chain.start(root)
    journal = open_journal(root / LEDGER)
    with connect(str(running["url"])) as chain:
        desk, standing = furnish(root, chain, world, market=market, policy=policy, journal=journal)
        allowed = document(call_policy(chain, desk.onchain, standing.safe))
    journal.close()
    (root / CALL_POLICY).write_text(json.dumps(allowed, indent=1) + "\n", encoding="utf-8")
    keys = write_cosigners(root / "keys")
    source = {"chain": str(chain_file.resolve())} if chain_file else {"day": day}
    (root / STANDING).write_text(
        json.dumps(
            {
                "safe": standing.safe,
                "ramp": standing.ramp,
                "pinned": standing.pinned,
                "addresses": standing.addresses,
                "market": source,
            },
            indent=1,
        ),
        encoding="utf-8",
    )
    (root / SETTINGS).write_text(_settings(chain.chain_id, standing.safe), encoding="utf-8")
    (root / "policy.toml").write_text(
        policy_file.read_text(encoding="utf-8") if policy_file else written(policy), encoding="utf-8"
    )
    if as_json:
        emit_json(
            {
                "schema": "hedge.init/1",
                "status": "done",
                "workspace": str(root),
                "safe": standing.safe,
                "rpc": running["url"],
                "keys": [str(path) for path in keys],
                "next": [f"hedge plan new -C {folder}"],
            }
        )
    else:
        say(f"workspace {root}: Safe {desk.vault.address}, chain at {running['url']}, as of {market.asof.isoformat()}")
        for label in market.modelled:
            say(f"modelled: {label}")
        say(f"next: hedge plan new -C {folder}")


def _settings(chain_id: int, safe: str) -> str:
    return f"""# Where things are. The numbers of the method are in policy.toml.
[policy]
file = "policy.toml"

[broker]
adapter = "paper"

[chain]
rpc = "local"        # this folder's own chain (`hedge chain up`), or a URL
chain_id = {chain_id}

[vault]
safe = "{safe}"
threshold = 2
"""
