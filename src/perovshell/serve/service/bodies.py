"""Bodies of requests: JSON in any of the encodings that clients send."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from typing import Final

from starlette.requests import Request

from perovshell.serve.service import limits
from perovshell.serve.service.problems import Problem

_JSON: Final = re.compile(r"(?:application|text)/(?:[\w.-]+\+)?json")
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)")
_UNICODE: Final = re.compile(r"utf-?(?:8|16|32)(?:-?[lb]e)?|(?:us-)?ascii|")
_LATIN: Final = {"iso-8859-1": "latin-1", "latin1": "latin-1", "windows-1252": "cp1252"}
_GZIP: Final = ("gzip", "x-gzip")
_GZIP_HEADER: Final = 16
"""What zlib adds to the size of its window where it is to read the header of gzip."""


async def read_json(request: Request) -> bytes:
    """Return the JSON of a request in UTF-8, unpacked and without a byte order mark.

    Raises:
        Problem: It is empty, too large, damaged, or of a type or encoding that is not read.
    """
    body = await request.body()
    coding = request.headers.get("content-encoding", "")
    if coding:
        # Unpacking may take some hundredths of a second, in which others are answered.
        body = await asyncio.to_thread(_unpacked, body, coding)
    if not body:
        raise _unreadable("empty; a JSON object is needed")
    return _in_utf8(body, _charset(request.headers.get("content-type", "")))


def _unpacked(body: bytes, coding: str) -> bytes:
    """Return a body without its content encoding; no more is unpacked than may be sent plain."""
    names = (name.strip() for name in coding.lower().split(","))
    named = [name for name in names if name not in {"", "identity"}]
    if not named:
        return body
    if len(named) > 1 or named[0] not in _GZIP:
        detail = f"content-encoding {coding!r}: gzip (once) and identity are read"
        headers = {"accept-encoding": "gzip, identity"}
        raise Problem(415, "unsupported-media-type", detail, headers=headers)
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS + _GZIP_HEADER)
    try:
        plain = stream.decompress(body, limits.BODY_BYTES + 1)
    except zlib.error as error:
        raise _unreadable(f"not gzip ({error})") from error
    if len(plain) > limits.BODY_BYTES:
        detail = f"more than {limits.BODY_BYTES} bytes when unpacked; so many are read"
        raise Problem(413, "body-too-large", detail)
    if not stream.eof or stream.unused_data:
        raise _unreadable("not one complete gzip stream")
    return plain


def _charset(content_type: str) -> str:
    """Return the character encoding that a content type names, or an empty text.

    Raises:
        Problem: It is not JSON, or of an encoding that is not read.
    """
    lower = content_type.strip().lower()
    kind = lower.partition(";")[0].strip()
    if not _JSON.fullmatch(kind):
        detail = f"content-type {kind!r}: application/json is needed"
        raise Problem(415, "unsupported-media-type", detail)
    match = _CHARSET.search(lower)
    charset = match[1] if match else ""
    if charset not in _LATIN and not _UNICODE.fullmatch(charset):
        detail = f"charset {charset!r}: read are utf-8, utf-16, utf-32, {', '.join(_LATIN)}"
        raise Problem(415, "unsupported-media-type", detail)
    return charset


def _in_utf8(body: bytes, charset: str) -> bytes:
    """Return JSON in UTF-8 without a byte order mark."""
    # JSON begins with ASCII characters: its first bytes show which of the Unicode encodings it is,
    # also where the content type names another one.
    encoding: str = json.detect_encoding(body)
    if encoding == "utf-8":
        if charset not in _LATIN:
            return body
        encoding = _LATIN[charset]
    try:
        return body.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise _unreadable(f"not {encoding} ({error.reason} at byte {error.start})") from error


def _unreadable(why: str) -> Problem:
    return Problem(422, "invalid-request", f"body: {why}")
