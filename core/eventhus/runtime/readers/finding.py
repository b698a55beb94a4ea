"""Plans a page of a view: the index to walk along, and the cursor to go on from."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Generic, TypeVar

from attrs import evolve, frozen

from eventhus.adapter_support.limits import check_keys
from eventhus.domain.finding import OneOf, Range
from eventhus.domain.indexes import FieldKind, Indexes, IndexField, IndexValue, parsed_field
from eventhus.domain.unchecked import unchecked
from eventhus.domain.view import View
from eventhus.errors import InvalidArgument, InvalidCursor, UndeclaredIndex
from eventhus.ports.views import Bounds, Selection

V = TypeVar("V")

LONGEST_CURSOR = 1_000_000  # characters; far beyond any that was handed out


@frozen(kw_only=True, weakref_slot=False)
class ViewItem(Generic[V]):
    """A value of a view, as ``Application.find`` returns it.

    Attributes:
        key: The key.
        value: The value.
    """

    key: str
    value: V


unchecked_view_item = unchecked(ViewItem)


@frozen(kw_only=True)
class ViewPage(Generic[V]):
    """A page of a view.

    Attributes:
        items: The values, in order.
        position: The page contains every event of its keys up to this position of the log, and
            possibly later ones.
        cursor: Pass it as ``after`` to get the next page; ``None`` at the end.
        parked: The number of keys that are parked, which no page shows; 1,000 stands for more, too.
    """

    items: Sequence[ViewItem[V]]
    position: int
    cursor: str | None
    parked: int


@frozen(kw_only=True)
class Plan:
    """A question, and the index that answers it.

    Attributes:
        view: The view, for messages.
        indexes: The declared indexes of the view.
        selection: The first page.
        question: Tells the cursors of this question from those of others.
    """

    view: str
    indexes: Indexes
    selection: Selection
    question: str

    def after(self, cursor: str | None) -> Selection:
        """Return the page after a cursor.

        Raises:
            InvalidCursor: It is not a cursor of this question.
        """
        if cursor is None:
            return self.selection
        try:
            question, texts, key = _parts(cursor)
            if question == self.question:
                check_keys((key,))
                order = self.selection.order
                values = [
                    _value(self.indexes.fields[field.name], text)
                    for field, text in zip(order, texts, strict=True)
                ]
                return evolve(self.selection, after=(values, key))
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
            question = ""
        raise InvalidCursor(self.view, is_of_another=bool(question))

    def cursor(self, key: str, value: object) -> str:
        """Return the cursor after a value of the page."""
        values = self.indexes.values(value)
        texts = [_text(values[field.name]) for field in self.selection.order]
        data = json.dumps([self.question, texts, key], separators=(",", ":"))
        return urlsafe_b64encode(data.encode()).decode()


def plan(
    view: View[Any, Any],
    where: Mapping[str, object],
    order_by: str | Sequence[str],
    limit: int,
) -> Plan:
    """Return the plan of a question.

    Raises:
        UndeclaredIndex: No declared index answers it.
        InvalidArgument: A value is of another type than its field, or an argument is of another
            form.
    """
    indexes = view.indexing
    if not isinstance(where, Mapping):
        raise InvalidArgument(
            f"where must be a dict of the indexed fields, found a {type(where).__name__}"
        )
    conditions = {name: _condition(view, name, wanted) for name, wanted in where.items()}
    single = {
        name
        for name, wanted in conditions.items()
        if not isinstance(wanted, Bounds) and len(wanted) == 1
    }
    order = [each for each in _order(view, order_by) if each.name not in single]
    index = _index(view, conditions, order)
    question = repr((view.name, view.version, sorted(conditions.items()), order))
    return Plan(
        view=view.name,
        indexes=indexes,
        selection=Selection(
            where=conditions,
            index=index,
            order=order,
            descending=bool(order) and order[-1].descending,
            limit=limit,
        ),
        question=blake2b(question.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest(),
    )


def _condition(
    view: View[Any, Any], name: object, wanted: object
) -> tuple[IndexValue, ...] | Bounds:
    kind = _kind(view, name)
    if isinstance(wanted, list | tuple | set | frozenset):
        raise InvalidArgument(
            f"where[{name!r}] of view {view.name}: write one_of(...) for one of several values"
        )
    try:
        if isinstance(wanted, OneOf):
            return tuple(kind.index_value(each) for each in wanted.values)
        if isinstance(wanted, Range):
            return Bounds(
                at_least=kind.index_value(wanted.at_least),
                above=kind.index_value(wanted.above),
                at_most=kind.index_value(wanted.at_most),
                below=kind.index_value(wanted.below),
            )
        return (kind.index_value(wanted),)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"where[{name!r}] of view {view.name}: {error}") from None


def _order(view: View[Any, Any], order_by: object) -> Sequence[IndexField]:
    names = (order_by,) if isinstance(order_by, str) else order_by
    if not isinstance(names, Sequence) or not all(isinstance(each, str) for each in names):
        raise InvalidArgument("order_by must be the name of an indexed field, or a tuple of some")
    fields = [parsed_field(each) for each in names]
    return [
        IndexField(each.name, each.descending, _kind(view, each.name).kind == "time")
        for each in fields
    ]


def _kind(view: View[Any, Any], name: object) -> FieldKind:
    kind = view.indexing.fields.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(view.indexing.fields) or "none"
        raise UndeclaredIndex(
            view.name, f"{name!r} is not an indexed field, and those are: {known}", repr(name)
        )
    return kind


def _index(
    view: View[Any, Any],
    where: Mapping[str, Sequence[IndexValue] | Bounds],
    order: Sequence[IndexField],
) -> Sequence[IndexField]:
    """Return the index to walk along: fields with known values first, then those of the order."""
    if not where and not order:
        return ()
    known = {name for name, wanted in where.items() if not isinstance(wanted, Bounds)}
    best: Sequence[IndexField] = ()
    for index in view.indexing.declared:
        place = len(index) - len(order)
        is_known = place >= 0 and all(each.name in known for each in index[:place])
        if is_known and _is_along(index[place:], order) and len(index) > len(best):
            best = index
    if best:
        return best
    needed = ", ".join(repr(text) for text in [*sorted(known), *map(_written, order)])
    if not order and not known:
        raise UndeclaredIndex(
            view.name, "a range alone has no order", "", "order by a field of where"
        )
    raise UndeclaredIndex(view.name, "no index has these fields in this order", f"({needed})")


def _is_along(fields: Sequence[IndexField], order: Sequence[IndexField]) -> bool:
    if [*order] == [*fields]:
        return True
    return [*order] == [evolve(each, descending=not each.descending) for each in fields]


def _written(field: IndexField) -> str:
    return f"-{field.name}" if field.descending else field.name


def _parts(cursor: str) -> tuple[str, list[str], str]:
    if not isinstance(cursor, str) or len(cursor) > LONGEST_CURSOR:
        raise TypeError
    question, texts, key = json.loads(urlsafe_b64decode(cursor.encode()))
    if not (isinstance(question, str) and isinstance(texts, list) and isinstance(key, str)):
        raise TypeError
    return question, texts, key


def _text(value: IndexValue) -> str | bool | None:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool | str) or value is None:
        return value
    return f"{type(value).__name__} {value}"  # a float comes back exactly


def _value(kind: FieldKind, text: Any) -> IndexValue:
    """Return the value that ``_text`` wrote.

    Raises:
        ValueError: The text is not a value of this kind.
        TypeError: As above.
        LookupError: As above.
        ArithmeticError: As above.
    """
    if text is None:
        return None
    if kind.kind == "bool":
        if not isinstance(text, bool):
            raise TypeError
        return text
    if not isinstance(text, str):
        raise TypeError
    if kind.kind == "time":
        return kind.index_value(datetime.fromisoformat(text))
    if kind.kind == "text":
        return text
    name, _, number = text.partition(" ")
    return kind.index_value({"int": int, "float": float, "Decimal": Decimal}[name](number))
