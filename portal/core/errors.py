"""What a rule can answer instead of doing as asked; the envelope turns each into a status."""

from typing import Any


class NotFound(Exception):
    """There is no such thing, or the actor may not know of it (R2): 404."""


class Forbidden(Exception):
    """The actor may see it but not do this: 403. `message` says what to do where a global admin could not change it."""

    def __init__(self, reason: object = "", *, message: Any = None) -> None:
        super().__init__(reason)
        self.message = message


class Refused(Exception):
    """A rule says no. `message` is a translated sentence that says why and what to do: 409, or beside `field`."""

    def __init__(self, message: Any, *, field: str | None = None) -> None:
        super().__init__(str(message))
        self.message = message
        self.field = field


class Stale(Refused):
    """Somebody else changed the record first (R104); `changed` names the fields that differ."""

    def __init__(self, message: Any, changed: dict[str, tuple[Any, Any]] | None = None) -> None:
        super().__init__(message)
        self.changed = changed or {}


class TooMany(Exception):
    """A limit was reached; `retry_after` seconds until it opens again: 429."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"retry after {retry_after} s")
        self.retry_after = max(1, retry_after)
