"""Health: probes for a platform such as Kubernetes, and a report for people and monitors.

The probes tell only yes or no. ``/health`` names readers and errors: keep it in your network.
"""

from http import HTTPStatus
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict

from eventhus.operations import Health, Operations

router = APIRouter(prefix="/health", tags=["health"])


async def looked(request: Request) -> Health:
    """Return the health of the shop, as this process sees it."""
    operations: Operations = request.app.state.operations
    return await operations.health()


Looked: TypeAlias = Annotated[Health, Depends(looked)]


class Live(BaseModel):
    """The answer to a liveness probe. If it is false, restart this process."""

    live: bool


class Ready(BaseModel):
    """The answer to a readiness probe: true if the store answers and the lists are filled."""

    ready: bool


class Reader(BaseModel):
    """The progress of a view, a process, a group of handlers or the relay."""

    model_config = ConfigDict(from_attributes=True)

    kind: str
    name: str
    version: int
    position: int | None
    waiting: int | None
    parked: int
    dead_letters: int
    problems: list[str]


class Report(BaseModel):
    """The health in detail, with every problem that needs attention."""

    model_config = ConfigDict(from_attributes=True)

    is_healthy: bool
    is_live: bool
    is_ready: bool
    head: int | None
    problems: list[str]
    readers: list[Reader]


@router.get("/live")
async def live(health: Looked, response: Response) -> Live:
    """Say whether this process works. A store that is away does not make it fail."""
    _answer(response, is_well=health.is_live)
    return Live(live=health.is_live)


@router.get("/ready")
async def ready(health: Looked, response: Response) -> Ready:
    """Say whether every view that this version of the shop reads has caught up once."""
    _answer(response, is_well=health.is_ready)
    return Ready(ready=health.is_ready)


@router.get("")
async def report(health: Looked, response: Response) -> Report:
    """Report what is wrong, one sentence each. For alerts, not for probes."""
    _answer(response, is_well=health.is_healthy)
    return Report.model_validate(health)


def _answer(response: Response, *, is_well: bool) -> None:
    response.status_code = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    response.headers["Cache-Control"] = "no-store"
