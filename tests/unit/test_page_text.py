"""Pages and other markup are told in a few words, and what is none is left alone."""

import pytest

from core.adapters.claude.page_text import describe_plainly, read_marked


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<html><head><title>502\n Bad</title></head><body><h1>No</h1></body>", "an HTML page (502 Bad)"),
        ("\ufeff \n<!-- x --><p>No</p>", "an HTML page (No)"),
        ("<!DOCTYPE html>", "an HTML page (without words)"),
        ("Error: <html><title>No</title></html>", "Error: an HTML page (No)"),
        ('<form action="/login"><p>Sign <b>in</b></p>', "HTML (Sign in)"),
        ("<td>a</td><td>b</td>", "HTML (a b)"),
        ('No <img src="x" onerror="y">', "No HTML (without words)"),
        ("<h1>a &lt;script&gt; b</h1>", "HTML (a b)"),
        ("<h1>1 &lt; 2</h1>", "HTML (1 2)"),
        ("&lt;html&gt;&lt;title&gt;No&lt;/title&gt;", "an HTML page (No)"),
        ("&amp;lt;html&amp;gt;&amp;lt;title&amp;gt;No&amp;lt;/title&amp;gt;", "an HTML page (No)"),
        (r"\u003chtml\u003e\u003ctitle\u003eNo", "an HTML page (No)"),
        (r"\\u003Cp\\u003ENo", "HTML (No)"),
        ('<?xml version="1.0"?><Error><Code>A</Code><Message>B</Message></Error>', "an XML document (A B)"),
        ("<Error><Code>A</Code></Error>", "an XML document (A)"),
        ('<?xml version="1.0"?><!DOCTYPE html><html><title>No</title></html>', "an HTML page (No)"),
    ],
)
def test_markup_is_named_and_told_without_marks(text: str, told: str) -> None:
    assert told == describe_plainly(text)


@pytest.mark.parametrize(
    "text",
    ["", "max_tokens: 5 < 6 > 4", "messages.0: <thinking> is not allowed", "a <b", "x<y and y>z", "a &lt; b < c"],
)
def test_text_that_is_no_markup_is_left_alone(text: str) -> None:
    assert text == describe_plainly(text)


def read_page(text: str) -> str:
    marked = read_marked(text)
    assert marked is not None
    return marked.shown


def test_page_is_told_by_its_title_else_its_heading_else_its_text() -> None:
    assert read_page("<html><head><title>502\n Bad</title></head><body><h1>No</h1></body>") == "502 Bad"
    assert read_page("<body><script>let a = 1</script><h1>No &amp; never</h1><p>x</p></body>") == "No & never"
    assert read_page("<p>Nothing <b>here</b></p>") == "Nothing here"
    assert read_page("<html></html>") == ""
