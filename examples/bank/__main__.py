"""Three customers at once, and one of them asks for too much."""

import asyncio
from argparse import ArgumentParser
from collections.abc import Iterable

from eventhus import Application, Committed, CompositionError, Recorded, Rejected, new_id
from examples.bank.account import (
    AccountEvent,
    CreateAccount,
    PerformDeposit,
    PerformWithdrawal,
    account,
)


async def run(bank: Application) -> None:
    """Serve three customers, printing what happens as the bus reports it."""
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def show(recorded: Recorded[AccountEvent]) -> None:
        print(bank.wire(recorded).decode())
        seen.put_nowait(recorded.id)

    async with bank:
        await bank.subscribe(show)
        account_ids = [new_id() for _ in range(3)]
        visits = await asyncio.gather(*(visit(bank, account_id) for account_id in account_ids))
        await all_seen(seen, (committed for visit in visits for committed in visit))

        try:
            await bank.dispatch(PerformWithdrawal(aggregate_id=account_ids[0], amount=1000))
        except Rejected as refusal:
            print(f"refused: {type(refusal).__name__}: {refusal}")

        for account_id in account_ids:
            state = await bank.state(account, account_id)
            print(f"{account_id}: {state.owner} has {state.balance}")


async def visit(bank: Application, account_id: str) -> list[Committed]:
    """Open an account, pay in and take out."""
    commands = (
        CreateAccount(aggregate_id=account_id, owner="mishudark"),
        PerformDeposit(aggregate_id=account_id, amount=300),
        PerformWithdrawal(aggregate_id=account_id, amount=249),
    )
    return [await bank.dispatch(command) for command in commands]


async def all_seen(seen: asyncio.Queue[str], commits: Iterable[Committed]) -> None:
    """Wait until every event of the commits has come by. A bus may also carry others'."""
    missing = {recorded.id for committed in commits for recorded in committed.events}
    while missing:
        missing.discard(await seen.get())


def main() -> None:
    """Compose the bank from the command line's URLs, and run it."""
    parser = ArgumentParser(prog="python -m examples.bank", description=__doc__)
    parser.add_argument("--store", metavar="URL", default="memory://")
    parser.add_argument("--bus", metavar="URL", default="memory://")
    options = parser.parse_args()
    try:
        bank = Application.open(
            bucket="bank", aggregates=[account], store=options.store, bus=options.bus
        )
    except CompositionError as error:
        parser.error(str(error))
    asyncio.run(run(bank))


if __name__ == "__main__":
    main()
