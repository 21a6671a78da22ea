"""Secrets: values that no log, page, journal, error or pickle may show."""

from __future__ import annotations

import hmac
import os
import re
from pathlib import Path
from typing import NoReturn

HIDDEN = "***"
"""What stands in the place of a secret wherever it would be shown."""

# Every repetition is bounded: these are searched for in texts that anybody may have written, of any length.
_SCHEME = r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30}://)"
_ADDRESS = re.compile(_SCHEME + r"(?:[^\s/]{0,500}|[^\s/@:]{0,200}:(?!\d{1,5}/)[^\s@]{0,300})@")
_WORD = r"[\w.-]{0,40}(?:token|secret|password|passwd|pwd|signature|credential|api[_-]?key|access[_-]?key)[\w.-]{0,40}"
_QUERY = re.compile(rf"(?P<name>[?&;](?:{_WORD}|key|sid|sig|auth)=)[^&;#\s]{{1,2000}}?(?=[&;#\s]|[:,.)'\">]*(?:\s|$))", re.IGNORECASE)
_SETTING = re.compile(
    rf"(?P<name>(?:^|[,\s('\"{{])(?:{_WORD})['\"]?\s{{0,3}}=\s{{0,3}})(?:'[^']{{1,2000}}'|\"[^\"]{{1,2000}}\"|[^\s&;,'\"(\[{{<`)]{{1,2000}})",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"(?P<name>(?:password|passwd|pwd|secret|api[_-]?key|access[_-]?key|token)['\"]?\s{0,3}:\s{0,3})(?:'[^']{1,2000}'|\"[^\"]{1,2000}\"|\S{8,2000})",
    re.IGNORECASE,
)
_SCHEMED = re.compile(r"(?P<name>\b(?:Bearer|Basic)\s{1,3})[A-Za-z0-9+/=._~-]{8,2000}")


class Secret:
    """A text that can be used and not seen: printed, formatted or logged it is `***`, and it can't be pickled or become JSON.

    `Secret.of_variable("NAME")` and `Secret.of_file(path)` take it from where it is kept, so that it stands in no source file. Raises
    `ValueError` for an empty one: a check against nothing would let everybody in.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or not text:  # pyright: ignore[reportUnnecessaryIsInstance] - what comes from settings may be anything
            raise ValueError("a secret is a text that isn't empty")
        self._text = text

    @classmethod
    def of_variable(cls, name: str) -> Secret:
        """Give the secret that an environment variable holds. Raises `ValueError` where it isn't set, or is empty."""
        text = os.environ.get(name, "")
        if not text:
            raise ValueError(f"the environment variable {name}, which is to hold a secret, isn't set: set it where eventflow is started")
        return cls(text)

    @classmethod
    def of_file(cls, path: str | os.PathLike[str]) -> Secret:
        """Give the secret that a file holds, without white space around it. Raises `ValueError` where it can't be read, or is empty."""
        try:
            text = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"the file {os.fspath(path)}, which is to hold a secret, can't be read: {type(error).__name__}") from None
        if not text:
            raise ValueError(f"the file {os.fspath(path)}, which is to hold a secret, is empty")
        return cls(text)

    def reveal(self) -> str:
        """Give the text itself, for the one place where it is used."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({HIDDEN!r})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret can't be pickled or copied: hand over the name of the variable or file that holds it")


def revealed(value: str | Secret) -> str:
    """Give the text of what may be a secret."""
    return value.reveal() if isinstance(value, Secret) else value


def without_secrets(text: str) -> str:
    """Give a text with whatever looks like a credential hidden: `user:password@` in an address, `token=...`, `Bearer ...`."""
    if "://" in text:
        text = _ADDRESS.sub(rf"\g<scheme>{HIDDEN}@", text)
    for kind in (_QUERY, _SETTING, _FIELD, _SCHEMED):
        text = kind.sub(rf"\g<name>{HIDDEN}", text)
    return text
