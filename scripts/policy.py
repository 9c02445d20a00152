"""`hedge policy`: check a policy file, show every number with its source, compare two, or have one decided on."""

import typer

from scripts.committee import committee, execute, propose, vote

app = typer.Typer(help="The numbers and rules of the method.", no_args_is_help=True)
for verb in (propose, vote, execute, committee):
    app.command()(verb)

_SCHEMA = "hedge.policy/1"


@app.command("check")
def check(
    file: str = typer.Argument(..., help="Policy file."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """Whether a policy file means something: keys, units, ranges, rules and seats."""
    from pathlib import Path

    from adapters.files.config import policy_digest
    from adapters.files.policy_file import differences, read_policy
    from engine.policy.settings import Policy
    from scripts.output import emit_json, say

    policy = read_policy(Path(file))
    changed = differences(Policy(), policy)
    if as_json:
        emit_json(
            {
                "schema": _SCHEMA,
                "status": "valid",
                "next": [f"hedge policy diff {file}"],
                "digest": policy_digest(policy),
                "rules": len(policy.rules),
                "members": len(policy.members),
                "differs_from_default": [difference.key for difference in changed],
            }
        )
        return
    say(f"{file}: valid, {len(policy.rules)} rules, {len(policy.members)} seats, digest {policy_digest(policy)[:16]}")
    say(f"differs from the default in {len(changed)} keys; next: hedge policy diff {file}")


@app.command("show")
def show(
    file: str = typer.Argument("", help="Policy file; the default policy without it."),
    schema: bool = typer.Option(False, "--schema", help="The JSON schema that policy files follow."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """Every number of a policy with the requirement it comes from, as a file that can be edited."""
    from pathlib import Path

    from adapters.files.policy_file import read_policy, written
    from engine.policy.settings import Policy
    from scripts.output import emit_json, say

    if schema:
        emit_json(Policy.model_json_schema())
        return
    policy = read_policy(Path(file) if file else None)
    if as_json:
        emit_json({"schema": _SCHEMA, "status": "shown", "next": [], "policy": policy.model_dump(mode="json")})
        return
    say(written(policy).rstrip())


@app.command("diff")
def diff(
    first: str = typer.Argument(..., help="Policy file."),
    second: str = typer.Argument("", help="Another; the default policy without it."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """Which keys two policies answer differently."""
    from pathlib import Path

    from adapters.files.policy_file import differences, read_policy
    from scripts.output import emit_json, say, table

    one, two = read_policy(Path(first)), read_policy(Path(second) if second else None)
    changed = differences(one, two)
    if as_json:
        found = [part._asdict() for part in changed]
        emit_json({"schema": _SCHEMA, "status": "differs" if found else "same", "next": [], "differences": found})
        return
    if not changed:
        say("the same policy")
        return
    rows = [(part.key, part.first or "-", part.second or "-") for part in changed]
    table(f"{len(changed)} keys differ", ("key", first, second or "default"), rows)
