"""What the kernel's tests share."""

import pytest

from tests.support.smtp import smtp

__all__ = ["smtp"]


@pytest.fixture(autouse=True)
def _labelled() -> None:
    """The kernel's tests log keys of their own, which nobody reads."""
