"""How much is kept of what tasks print and log."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

_Bytes = Annotated[int, Meta(ge=256, description="a number of bytes, 256 or more")]


class LogLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept, in bytes: of one line, and of all lines of one attempt."""

    line_bytes: _Bytes = 16 * 1024
    attempt_bytes: _Bytes = 10 * 1024 * 1024
