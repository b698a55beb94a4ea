"""One request for a page, as the pages see it, and their answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

from eventhus.operations import Operations
from eventhus_console.links import Parameters
from eventhus_console.samples import Samples


@frozen(kw_only=True)
class Visit:
    """A request that may be answered.

    Attributes:
        operations: The application that is looked into.
        samples: What was sampled so far.
        given: The parameters of the link or the form.
    """

    operations: Operations
    samples: Samples
    given: Parameters


@frozen(kw_only=True)
class Page:
    """A page to render.

    Attributes:
        template: The name of its template.
        values: The values in it.
        status: The status of the response.
    """

    template: str
    values: Mapping[str, Any] = field(factory=dict[str, Any])
    status: int = 200


@frozen
class Redirect:
    """The page to show after an action, as a relative link."""

    to: str


Show: TypeAlias = Callable[[Visit], Awaitable[Page | Redirect]]
