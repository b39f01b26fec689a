"""Whatever the words are, the picture is XML that any viewer takes."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from edge_app.app.paper import sheet, text


@pytest.mark.parametrize("words", ["bad\udcff.mp4", "a\x1b[2Jb", "a\nb\0", "<script>&\"'", "挥手 😀", "\ufffe\x85"])
def test_any_words_can_be_drawn(words):
    drawn = sheet([text(0, 0, words, bold=True)], 10, 10, title=words)
    root = ElementTree.fromstring(drawn.encode())
    assert [part.tag.rpartition("}")[2] for part in root] == ["rect", "text", "text"]
    assert root[1].text == root[2].text != ""
