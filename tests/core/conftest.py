"""What the kernel's tests share."""

from tests.support.smtp import smtp

__all__ = ["smtp"]
