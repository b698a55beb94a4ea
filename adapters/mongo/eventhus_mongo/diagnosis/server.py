"""Checks of the server: its version, its members, its journal, its clock and its disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.errors import OperationFailure

from eventhus.ports import Finding
from eventhus_mongo.connection import Client
from eventhus_mongo.diagnosis.names import (
    CLOCK,
    JOURNALING,
    MEMBERS,
    PROFILER,
    STORAGE,
    TOPOLOGY,
    VERSION,
)
from eventhus_mongo.driver_errors import UNAUTHORIZED

Answer = Mapping[str, Any]

ROUTER = "isdbgrid"  # what a mongos says
_OLDEST = (6, 0)  # that the tests run against
_LAG_S = 10.0  # a primary that is idle writes every 10 s
_SKEW_S = 1.0
_LARGE_SKEW_S = 60.0
_SPARE = 0.1  # of a disk
_PLENTY = 100 * 2**30  # bytes that are enough on any disk
_DATA_BEARING = {"PRIMARY", "SECONDARY"}
_ENOUGH_MEMBERS = 3
_MONITOR = "grant clusterMonitor on database admin to the user, or look with one who has it"


def version_findings(build: Answer) -> Iterable[Finding]:
    """Return the findings about an answer to ``buildInfo``."""
    version = str(build["version"])
    if tuple(build["versionArray"][:2]) < _OLDEST:
        yield Finding.warning(
            VERSION,
            f"MongoDB {version}; eventhus is not tested with versions before "
            f"{'.'.join(map(str, _OLDEST))}",
            "update the server",
        )
    else:
        yield Finding.ok(VERSION, f"MongoDB {version}")


def topology_findings(hello: Answer, *, is_direct: bool) -> Iterator[Finding]:
    """Return the findings about the roles of servers.

    Args:
        hello: The answer to ``hello``.
        is_direct: True if the URL says ``directConnection=true``.
    """
    if hello.get("msg") == ROUTER:
        yield Finding.ok(TOPOLOGY, "a sharded cluster")
        return
    if "setName" not in hello:
        yield Finding.warning(
            TOPOLOGY,
            "a standalone server: when its disk is lost, acknowledged events are lost, and "
            "followers poll for new events",
            "run a replica set of three members; one member is enough for followers",
        )
        return
    data_bearing = len(hello.get("hosts", ())) + len(hello.get("passives", ()))
    arbiters = len(hello.get("arbiters", ()))
    if is_direct:
        yield Finding.warning(
            TOPOLOGY,
            "the URL leads to one member of a replica set, and nothing follows an election",
            "remove directConnection from the URL, and name all members",
        )
    if data_bearing < _ENOUGH_MEMBERS:
        yield Finding.warning(
            TOPOLOGY,
            f"a replica set with {_counted(data_bearing, 'copy', 'copies')} of the data"
            + (f" and {_counted(arbiters, 'arbiter', 'arbiters')}" if arbiters else "")
            + ": the loss of one stops every append or loses events",
            "run a replica set of three members that hold data",
        )
    elif not is_direct:
        yield Finding.ok(TOPOLOGY, f"a replica set with {data_bearing} copies of the data")


async def of_members(client: Client, hello: Answer) -> Iterable[Finding]:
    """Return whether the members are healthy and close to the primary."""
    if "setName" not in hello:
        return []
    try:
        status = await client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        return majority_findings(hello)
    return [*member_findings(status)]


def majority_findings(hello: Answer) -> Iterable[Finding]:
    """Return what ``hello`` tells everybody about the members."""
    written = hello["lastWrite"]
    lag = written["lastWriteDate"] - written["majorityWriteDate"]
    hidden = "single members are not visible without the role clusterMonitor"
    if lag > timedelta(seconds=_LAG_S):
        yield Finding.error(
            MEMBERS,
            f"a majority of the members is {_seconds(lag)} behind the primary, so appends wait; "
            f"{hidden}",
            "bring the other members back",
        )
    else:
        yield Finding.ok(MEMBERS, f"a majority has the writes of the primary; {hidden}")


def member_findings(status: Answer) -> Iterator[Finding]:
    """Return the findings about an answer to ``replSetGetStatus``. They name no hosts."""
    members = status["members"]
    problems: list[str] = []
    healthy = 0
    newest = max(
        (each["optimeDate"] for each in members if each["stateStr"] == "PRIMARY"), default=None
    )
    for each in members:
        state = str(each["stateStr"])
        lag = None if newest is None or "optimeDate" not in each else newest - each["optimeDate"]
        if not each.get("health"):
            problems.append(f"member {each['_id']} is away")
        elif state not in {*_DATA_BEARING, "ARBITER"}:
            problems.append(f"member {each['_id']} is {state}")
        elif state == "SECONDARY" and lag is not None and lag > timedelta(seconds=_LAG_S):
            problems.append(f"member {each['_id']} is {_seconds(lag)} behind the primary")
        healthy += bool(each.get("health")) and state in _DATA_BEARING
    needed = status.get("writeMajorityCount", 1)
    advice = "look into the log of the members, and bring them back"
    if healthy < needed:
        yield Finding.error(
            MEMBERS,
            f"{healthy} of the {needed} members that a commit needs are there, so appends wait: "
            f"{', '.join(problems)}",
            advice,
        )
    elif problems:
        yield Finding.warning(MEMBERS, ", ".join(problems), advice)
    else:
        yield Finding.ok(MEMBERS, f"{_counted(len(members), 'member is', 'members are')} healthy")


async def of_journaling(client: Client, hello: Answer) -> Iterable[Finding]:
    """Return whether what a majority acknowledges is on its disks."""
    if "setName" not in hello:
        return []
    try:
        answer = await client.admin.command("replSetGetConfig")
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        return [
            Finding.warning(
                JOURNALING,
                "not visible: the user lacks the right replSetGetConfig",
                _MONITOR,
            )
        ]
    if answer["config"].get("writeConcernMajorityJournalDefault", True):
        return [Finding.ok(JOURNALING, "a majority acknowledges what is on its disks")]
    return [
        Finding.error(
            JOURNALING,
            "writeConcernMajorityJournalDefault is false: a power failure can take back events "
            "that readers have seen",
            "set it to true with rs.reconfig()",
        )
    ]


def clock_findings(hello: Answer, asked: datetime, answered: datetime) -> Iterable[Finding]:
    """Return how far this process's clock is from the server's.

    Args:
        hello: The answer to ``hello``.
        asked: When it was asked for, by the clock of this process.
        answered: When the answer came.
    """
    server = hello["localTime"].replace(tzinfo=UTC)
    if asked <= server <= answered:
        skew_s = 0.0
    else:
        skew_s = (asked + (answered - asked) / 2 - server).total_seconds()
    if abs(skew_s) < _SKEW_S:
        yield Finding.ok(CLOCK, "the clocks of this process and of the server agree")
        return
    direction = "ahead of" if skew_s > 0 else "behind"
    early = "early" if skew_s > 0 else "late"
    find = Finding.warning if abs(skew_s) < _LARGE_SKEW_S else Finding.error
    yield find(
        CLOCK,
        f"the clock of this process is {abs(skew_s):.1f} s {direction} that of the server: "
        f"deadlines come {early}, and recorded_at is wrong; leases are not affected",
        "synchronise the clocks of all machines by NTP",
    )


async def of_storage(client: Client, bucket: str) -> Iterable[Finding]:
    """Return how much room the disk of the server has."""
    return storage_findings(await client[bucket].command("dbStats"))


def storage_findings(stats: Answer) -> Iterable[Finding]:
    """Return the findings about an answer to ``dbStats``."""
    total, used = stats.get("fsTotalSize", 0), stats.get("fsUsedSize", 0)
    size = _bytes(stats.get("storageSize", 0) + stats.get("indexSize", 0))
    if not total:  # there is no bucket yet, or the service does not tell
        yield Finding.ok(STORAGE, f"the bucket takes {size}; the size of the disk is not visible")
        return
    free = total - used
    detail = f"the bucket takes {size}, and {_bytes(free)} of {_bytes(total)} are free on the disk"
    if free < min(_SPARE * total, _PLENTY):
        yield Finding.warning(
            STORAGE, detail, "enlarge the disk before it is full: appends then fail"
        )
    else:
        yield Finding.ok(STORAGE, detail)


async def of_profiler(client: Client, bucket: str) -> Iterable[Finding]:
    """Return whether the server records operations, and with them the data of events."""
    try:
        answer = await client[bucket].command({"profile": -1})
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        return []  # a matter of speed and privacy, which most users may not look at
    if answer["was"] == 0:
        return [Finding.ok(PROFILER, "the profiler is off")]
    which = "every operation" if answer["was"] > 1 else "slow operations"
    return [
        Finding.warning(
            PROFILER,
            f"the profiler records {which} in system.profile, with the data of events",
            "turn it off with db.setProfilingLevel(0)",
        )
    ]


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _seconds(lag: timedelta) -> str:
    return f"{lag.total_seconds():.0f} s"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004 - the step between units
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
