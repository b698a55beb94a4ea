"""Views and processes: their progress, documents, parked keys and deadlines."""

from __future__ import annotations

from collections.abc import Sequence

from eventhus.errors import InvalidArgument, InvalidCursor, UndeclaredIndex
from eventhus.operations import DocumentPage, FoldedKind, ReaderInfo, ReaderStatus
from eventhus_console.links import BadRequest, NotFound, link
from eventhus_console.pages.finding import Question
from eventhus_console.visit import Page, Visit

PARKED = 20
DEADLINES = 20
NOTHING = DocumentPage(documents=(), cursor=None, position=0)


async def views(visit: Visit) -> Page:
    """List the views."""
    return await _list(visit, "view")


async def processes(visit: Visit) -> Page:
    """List the processes."""
    return await _list(visit, "process")


async def view(visit: Visit) -> Page:
    """Show a view: its versions, its parked keys, and a page of what is found in it."""
    return await folded_page(visit, "view", visit.given.exact("name"))


async def process(visit: Visit) -> Page:
    """Show a process: its deadlines, its parked keys, and a page of its states."""
    return await folded_page(visit, "process", visit.given.exact("name"))


async def document(visit: Visit) -> Page:
    """Show the value of a view or the state of a process for one key."""
    given = visit.given
    kind, name, key = kind_of(given.exact("kind")), given.exact("name"), given.exact("key")
    version = given.number("version")
    _of_version(await _versions(visit, kind, name), version)
    found = await visit.operations.document(kind, name, key, version=version)
    if found is None:
        raise NotFound(f"the {kind} {name} has no document with the key {key}")
    return Page(
        template="document.html",
        values={"kind": kind, "name": name, "version": version, "key": key, "document": found},
    )


def kind_of(text: str) -> FoldedKind:
    """Return the kind that a link names.

    Raises:
        BadRequest: It names another one.
    """
    if text == "view":
        return "view"
    if text == "process":
        return "process"
    raise BadRequest("the parameter kind must be view or process")


async def folded_page(
    visit: Visit, kind: FoldedKind, name: str, *, problem: str | None = None, status: int = 200
) -> Page:
    """Return the page of a view or a process.

    Args:
        visit: The request. After an action that failed, only the first pages are shown.
        kind: The kind of the reader.
        name: Its name.
        problem: Why an action did not succeed, to show at the top.
        status: The status of the response.
    """
    operations, given = visit.operations, visit.given
    version = given.number("version")
    versions = await _versions(visit, kind, name)
    shown = _of_version(versions, version)
    info = _info(visit, kind, name) if shown.is_declared else None
    question = Question.of(given, kind, name, version, info)
    try:
        found = await question.answer(operations)
    except (InvalidArgument, InvalidCursor, UndeclaredIndex) as error:
        found, problem, status = NOTHING, str(error), 400
    parked = await operations.parked(
        kind, name, after=given.text("parked") or None, limit=PARKED, version=version
    )
    has_deadlines = kind == "process" and version is None
    return Page(
        template="folded.html",
        status=status,
        values={
            "kind": kind,
            "name": name,
            "version": version,
            "shown": shown,
            "others": [each for each in versions if each is not shown],
            "deadlines": await operations.deadlines(name, limit=DEADLINES) if has_deadlines else (),
            "has_deadlines": has_deadlines,
            "most_deadlines": DEADLINES,
            "parked": parked,
            "more_parked": (
                link(kind, name=name, version=version, parked=parked[-1].key)
                if len(parked) == PARKED
                else None
            ),
            "question": question,
            "found": found,
            "more": question.more(found),
            "problem": problem,
            "done": given.text("done"),
        },
    )


async def _list(visit: Visit, kind: FoldedKind) -> Page:
    statuses = await visit.operations.readers(kind)
    infos = {each.name: each for each in visit.operations.describe().readers if each.kind == kind}
    return Page(
        template="folded_list.html", values={"kind": kind, "statuses": statuses, "infos": infos}
    )


async def _versions(visit: Visit, kind: FoldedKind, name: str) -> Sequence[ReaderStatus]:
    found = [each for each in await visit.operations.readers(kind) if each.name == name]
    if not found:
        raise NotFound(f"there is no {kind} {name}")
    return found


def _of_version(versions: Sequence[ReaderStatus], version: int | None) -> ReaderStatus:
    """Return a version; for ``None`` the declared one, or else the newest."""
    if version is None:
        return max(versions, key=lambda each: (each.is_declared, each.version))
    for each in versions:
        if each.version == version:
            return each
    raise NotFound(
        f"the store has no version {version} of the {versions[0].kind} {versions[0].name}"
    )


def _info(visit: Visit, kind: FoldedKind, name: str) -> ReaderInfo:
    return next(
        each
        for each in visit.operations.describe().readers
        if (each.kind, each.name) == (kind, name)
    )
