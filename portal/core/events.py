"""emit() and @on(): in-process, synchronous, inside the caller's transaction; ask() collects vetoes."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

EventT = TypeVar("EventT")
HandlerT = TypeVar("HandlerT", bound=Callable[[Any], Any])
_handlers: dict[type, list[Callable[[Any], Any]]] = defaultdict(list)


def on(kind: type[EventT]) -> Callable[[HandlerT], HandlerT]:
    """Call the decorated function with every event of this class."""

    def register(handler: HandlerT) -> HandlerT:
        _handlers[kind].append(handler)
        return handler

    return register


def emit(event: object) -> None:
    for handler in _handlers[type(event)]:
        handler(event)


def ask(event: object) -> list[Any]:
    """What every subscriber has to say to this question, flattened; an empty list means nobody objects."""
    return [answer for handler in _handlers[type(event)] for answer in (handler(event) or ())]
