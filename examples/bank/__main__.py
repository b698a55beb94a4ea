"""Three customers at once; one of them asks for too much."""

import asyncio
from argparse import ArgumentParser
from itertools import chain

from eventhus import Application, Committed, Recorded, new_id
from eventhus.errors import CompositionError
from examples.bank.account import (
    AccountEvent,
    CreateAccount,
    InsufficientFunds,
    PerformDeposit,
    PerformWithdrawal,
    account,
)


async def run(bank: Application) -> None:
    """Serve three customers, print their events from the bus, and try an overdraft."""
    reported: asyncio.Queue[Recorded[AccountEvent]] = asyncio.Queue()
    async with bank:
        await bank.subscribe(reported.put)
        account_ids = [new_id() for _ in range(3)]
        visits = await asyncio.gather(*(visit(bank, account_id) for account_id in account_ids))

        # A bus may be slower than its store, and may carry events of other programs, too.
        missing = {recorded.id for commit in chain(*visits) for recorded in commit.events}
        while missing:
            recorded = await reported.get()
            print(bank.wire(recorded).decode())
            missing.discard(recorded.id)

        try:
            await bank.dispatch(PerformWithdrawal(aggregate_id=account_ids[0], amount=1000))
        except InsufficientFunds as refusal:
            print(f"refused: {refusal}")

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


def main() -> None:
    """Compose the bank from the URLs on the command line, and run it."""
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
