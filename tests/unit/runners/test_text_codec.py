"""The charset that an answer names decides nothing but how its text is read."""

from __future__ import annotations

import pytest

from app.runners.http_bodies import text_codec


@pytest.mark.parametrize(
    "charset", ["punycode", "idna", "hex", "rot13", "undefined", "unicode_escape", "zlib", "x", ""]
)
def test_what_is_no_plain_encoding_of_text_is_read_as_utf_8(charset: str) -> None:
    assert text_codec(charset) == "utf-8"


@pytest.mark.parametrize(
    ("charset", "codec"), [("latin1", "iso8859-1"), ("Windows-1252", "cp1252"), ("UTF8", "utf-8"), ("gb2312", "gb2312")]
)
def test_encodings_of_text_are_what_they_say(charset: str, codec: str) -> None:
    assert text_codec(charset) == codec
