"""A furnished desk with a signed plan, opened again for each test on copies of its books."""

import shutil
from datetime import date
from types import SimpleNamespace

import pytest

DAY = date(2018, 4, 25)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A furnished desk with a plan that two owners signed and nobody has applied."""
    from adapters.evm.anvil import start_anvil
    from adapters.evm.deploy_builder import account
    from adapters.evm.packages import missing
    from adapters.evm.world import open_world
    from adapters.files.observation import demo_day
    from adapters.safe.keystore import from_secret
    from engine.policy.settings import Policy
    from scripts import flow
    from scripts.desk import open_journal
    from scripts.setup import furnish

    if missing():
        pytest.skip("the pinned contract packages are not fetched: run `hedge chain fetch`")
    root = tmp_path_factory.mktemp("prepared")
    with open_world() as (base, world), start_anvil(fork=base) as chain:
        with open_journal(root / "l.sqlite") as journal:
            desk, standing = furnish(root, chain, world, market=demo_day(DAY), policy=Policy(), journal=journal)
            plan = flow.propose(desk).plan
            flow.save_plan(desk, plan)
            approvals = [flow.sign(desk, plan, from_secret(bytes(account(index).key))) for index in (1, 2)]
        yield SimpleNamespace(root=root, chain=chain, world=world, standing=standing, plan=plan, approvals=approvals)


@pytest.fixture
def opened(prepared, tmp_path):
    """Opens the desk again on copies of its books; the chain is put back afterwards."""
    from adapters.files.observation import demo_day
    from engine.policy.settings import Policy
    from scripts.desk import open_desk, open_journal
    from scripts.setup import executor_key

    snapshot, journals = prepared.chain.snapshot(), []

    def again(**changes):
        if not journals:
            shutil.copytree(prepared.root, tmp_path, dirs_exist_ok=True)
        journals.append(open_journal(tmp_path / "l.sqlite"))
        standing = prepared.standing
        return open_desk(
            tmp_path,
            prepared.chain,
            standing.addresses,
            safe=standing.safe,
            ramp=standing.ramp,
            pinned=standing.pinned,
            executor=executor_key(),
            policy=Policy(),
            market=demo_day(DAY),
            journal=journals[-1],
            **changes,
        )

    yield again
    for journal in journals:
        journal.close()
    prepared.chain.request("anvil_dropAllTransactions")
    prepared.chain.revert(snapshot)
