"""Which parts of a model's reply are run, which are named as left out, and what is only talk."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rlm_kernel.engine.reply import Reply, parse_reply

PIECES = [
    *("```", "~~~", "````", "```repl\n", "```python\n", "```json\n", "~~~py\n", "`", "``", "~", "\n", "\n\n", "\r\n"),
    *(
        "\n```\n",
        "\n~~~\n",
        "> ",
        "- ",
        "1. ",
        "  ",
        "\t",
        "    ",
        '"""',
        "'''",
        '"',
        "'",
        "\\",
        "#",
        "(",
        ")",
        "{",
        "}",
    ),
    *(
        "x = 1",
        "print(x)",
        "FINAL(",
        "FINAL(1)",
        "FINAL: ",
        "FINAL_VAR(x)",
        'SUBMIT(a="b")',
        "**",
        ">>> ",
        "... ",
        "%time ",
    ),
    *("<think>", "</think>", "<thinking>", "</thinking>", "text", "a=a=a=", "\x0c", "\u2028", "\x00", "\ud800"),
]
marked_up = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
anything = marked_up | st.text(max_size=200)
reasons = st.sampled_from(["", "stop", "length"])


@pytest.mark.parametrize(
    "language", ["repl", "python", "py", "ipython", "Python", "REPL", "python3", "pycon", "", "{python}"]
)
@pytest.mark.parametrize("fence", ["```", "~~~", "`````"])
def test_peers_25_fences_accepted(language: str, fence: str) -> None:
    """Also engines 4, 5; the fences that no seed but one reads."""
    assert parse_reply(f"Text.\n{fence}{language}\nx = 1\n{fence}\nMore.") == Reply(["x = 1\n"])


@pytest.mark.parametrize(
    ("reply", "blocks"),
    [
        ("```repl\nx = 1```", ["x = 1"]),
        ("```repl\nx = 1```\nThen:\n```repl\ny = 2\n```", ["x = 1", "y = 2\n"]),
        ("```repl\nx = 1\n   ```\nMore.", ["x = 1\n"]),
        ("  ```repl\n  x = 1\n  ```", ["x = 1\n"]),
        ("      ```repl\n      if x:\n          y = 1\n      ```", ["if x:\n    y = 1\n"]),
        ("\t```repl\n\tx = 1\n\t```", ["x = 1\n"]),
        ("- item\n  - ```repl\n    x = 1\n    ```", ["x = 1\n"]),
        ("1. first\n   ```python\n   a = 1\n   ```\n2. then\n   ```python\n   b = 2\n   ```", ["a = 1\n", "b = 2\n"]),
        ("1. ```repl\nfor x in y:\n    print(x)\n```", ["for x in y:\n    print(x)\n"]),
        ("Here it is: ```repl\nx = 1\n```", ["x = 1\n"]),
        ("```python x = 1```", ["x = 1"]),
        ("```python import re\nx = 1\n```", ["import re\nx = 1\n"]),
        ("```python for x in y:\n    print(x)\n```", ["for x in y:\n    print(x)\n"]),
        ("```python title=x linenos=1\na = 1\n```", ["a = 1\n"]),
        ("```python script.py\na = 1\n```", ["a = 1\n"]),
        ("```python {1,3}\na = 1\n```", ["a = 1\n"]),
        ("``` python\na = 1\n```  ", ["a = 1\n"]),
        ("```repl\r\na = 1\r\n```\r\n", ["a = 1\n"]),
        ("```repl\n%time x = f(1)\n!ls\n```", ["%time x = f(1)\n!ls\n"]),
        ("```repl\n~~~\n```", ["~~~\n"]),
    ],
)
def test_engines_05_tolerant_fences(reply: str, blocks: list[str]) -> None:
    """Also engines 4, peers 25: indented, listed, glued, labelled in odd ways, with code on the fence line."""
    assert parse_reply(reply) == Reply(blocks)


@pytest.mark.parametrize(
    "code",
    [
        "s = '''\n```\n'''\n",
        's = """\n```repl\nstolen = True\n```\n"""\nprint(s)\n',
        "s = r'''\n\\```\n```\n'''\n",
        "# ends in ```\nx = 1\n",
        "prompt = f'''Say:\n```json\n{{}}\n```\n'''\nanswers = llm_query(prompt)\n",
        "%matplotlib inline\nx = '''\n```\n'''\n",
        'x = "it\'s" # isn\'t """\ny = 1\n',
    ],
)
@pytest.mark.parametrize("fence", ["```", "````"])
def test_engines_05_a_fence_line_in_a_string_does_not_cut_the_block(code: str, fence: str) -> None:
    assert parse_reply(f"Look:\n{fence}repl\n{code}{fence}\nFINAL(x) comes next.").blocks == [code]


def test_engines_05_a_string_that_never_ends_does_not_swallow_the_next_block() -> None:
    reply = parse_reply("```repl\ns = '''abc\n```\nThe '''quoted''' part.\n```repl\nx = 1\n```")
    assert reply.blocks == ["s = '''abc\n", "x = 1\n"]


def test_peers_26_several_blocks_in_order_once_each() -> None:
    """Also engines 4: a reply that begins with a fence, text between, an empty block among them."""
    text = "```repl\na = 1\n```\nand\n```py\nb = 2\n```\n```repl\n\n```\n~~~\nc = 3\n~~~"
    assert parse_reply(text) == Reply(["a = 1\n", "b = 2\n", "c = 3\n"])


def test_peers_25_other_languages_are_named_and_not_run() -> None:
    """Also engines 5."""
    text = '```json\n{"a": 1}\n```\n```repl\nx = 1\n```\n```Bash\nrm x\n```\n```json\n```\n```text\nhello```'
    assert parse_reply(text) == Reply(["x = 1\n"], foreign=["json", "bash", "text"])


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "no code at all",
        "inline `x = 1` and ```x``` and ```python x``` are not blocks",
        "```x = 1``` is inline",
        "```\n   \n```",
        "```repl\n```",
        "> ```python\n> quoted = 1\n> ```",
        "> > ```python\n> > quoted = 1\n> > ```",
        "  > ```python\n  > quoted = 1\n  > ```",
        "- > ```python\n  > quoted = 1\n  > ```",
        "<think>```python\na = 1\n```</think>",
        "<think>\n```python\na = 1\n</think>",
        "<think>\nstill at it\n```python\na = 1\n```\n",
        "<thinking>\n```python\na = 1\n```\n</thinking>\nThat is all.",
        "```python\na = 1\n```\nWell, no.\n</think>\nThat is all.",
    ],
)
def test_engines_05_what_is_talk_is_not_run(reply: str) -> None:
    assert parse_reply(reply) == Reply()


@pytest.mark.parametrize(
    "reply",
    [
        "<think>a plan</think>```repl\nx = 1\n```",
        "<think>\n```repl\nold = 1\n```\n</think>\n\n```repl\nx = 1\n```",
        "a plan\n```repl\nold = 1\n```\n</think>\n```repl\nx = 1\n```",
        "a plan</think>\n```repl\nx = 1\n```",
        "> </think>```repl\n```repl\nx = 1\n```",
    ],
)
def test_code_after_a_thought_runs(reply: str) -> None:
    assert parse_reply(reply) == Reply(["x = 1\n"])


def test_a_tag_in_code_is_not_a_thought() -> None:
    code = "parts = text.split('</think>')\ns = '''\n<think>\n</think>\n'''\n"
    assert parse_reply(f"```repl\n{code}```") == Reply([code])


def test_engines_05_a_fence_that_never_ends_is_told_and_not_run() -> None:
    assert parse_reply("```repl\na = 1\n```\n```repl\nb = [1,", "stop") == Reply(["a = 1\n"], unclosed=True)
    assert parse_reply("```repl\na = '~~~'\n~~~") == Reply(unclosed=True)
    assert parse_reply("```repl\nb = 1") == Reply(unclosed=True)
    assert parse_reply("```\nThanks", "stop") == Reply(unclosed=True)


def test_engines_05_a_forgotten_closing_fence_runs_where_the_model_had_finished() -> None:
    assert parse_reply("```repl\na = 1\nprint(a)", "stop") == Reply(["a = 1\nprint(a)"])


def test_a_reply_cut_at_its_ceiling_is_recognised() -> None:
    """Also engines 26: the closed blocks run, the open one does not, an answer without end is none."""
    cut = parse_reply("```repl\na = 1\n```\n```repl\nprint(a)", "length")
    assert cut == Reply(["a = 1\n"], unclosed=True, cut=True)
    answer = parse_reply("FINAL: the first of three", "length")
    assert (answer.prose, answer.cut) == (None, True)


@pytest.mark.parametrize("label", ["pycon", "python", ""])
def test_prompts_of_a_session_are_taken_off(label: str) -> None:
    session = ">>> for i in range(2):\n...     print(i)\n...\n0\n1\n>>> x = 1\n"
    assert parse_reply(f"```{label}\n{session}```").blocks == ["for i in range(2):\n    print(i)\n\nx = 1\n"]


@pytest.mark.parametrize("reply", ["print(len(context))", "import re\nx = 1", "x = 4\nFINAL(x)", "df['a']"])
def test_engines_05_code_without_a_fence_is_noticed_and_not_run(reply: str) -> None:
    """Also the defect of 003, where prose that looks like code is executed."""
    assert parse_reply(reply, "stop") == Reply(bare=True)


@pytest.mark.parametrize("reply", ["Done", "Answer: 42", "not found", "Smith (2020)", "yes; no", "FINAL(4)"])
def test_words_that_happen_to_parse_are_not_code(reply: str) -> None:
    assert not parse_reply(reply, "stop").bare


@given(anything, reasons)
@settings(deadline=None)
@example("```python a=a=a=a=a=a=a=a=a=a=a=a=a=a=a=a=a=a=a=a=a=a=a=a=a=a= (\n```", "stop")
def test_any_reply_is_read_and_blocks_are_parts_of_it(text: str, reason: str) -> None:
    reply = parse_reply(text, reason)
    flat = text.replace("\r\n", "\n").replace("\r", "\n")
    for block in reply.blocks:
        assert block.strip()
        assert all(line.strip() in flat for line in block.split("\n"))
    assert not (reply.bare and (reply.blocks or reply.prose))


@given(anything, reasons)
@settings(deadline=None)
def test_what_is_quoted_never_runs_and_never_answers(text: str, reason: str) -> None:
    flat = text.replace("\r\n", "\n").replace("\r", "\n")
    quoted = "".join(f"> {line}\n" for line in flat.split("\n"))
    reply = parse_reply(quoted, reason)
    assert (reply.blocks, reply.prose) == ([], None)


@given(anything, st.sampled_from(["text", "json", "repl"]), reasons)
@settings(deadline=None)
def test_what_is_in_a_longer_fence_stays_there(text: str, label: str, reason: str) -> None:
    reply = parse_reply(f"Look:\n``````{label}\n{text}\n``````\nThat is all.", reason)
    assert reply.prose is None
    assert len(reply.blocks) <= (label == "repl")


@given(anything)
@settings(deadline=None)
def test_what_is_in_a_string_of_a_cell_stays_there(text: str) -> None:
    code = f"x = {text!r}\nprint(x)\n"
    assert parse_reply(f"```repl\n{code}```") == Reply([code])


@given(marked_up.filter(lambda text: "</think" not in text))
@settings(deadline=None)
def test_what_is_thought_is_not_read(text: str) -> None:
    assert parse_reply(f"<think>{text}</think>\nHm.") == Reply()


@pytest.mark.timeout(60)  # quadratic work on these would take hours
@pytest.mark.parametrize(
    ("start", "unit"),
    [
        *(("", "```repl\nx```\n"), ("", '```repl\n"""\n```\n'), ("", "```repl\n'''\n````\n"), ("", "FINAL(\n")),
        *(("", "FINAL: x\n"), ("", "<think></think>"), ("", "</think>\n"), ("", "- "), ("", " "), ("", "`")),
        *(("```repl\n", '\\"""\n'), ("```repl\n", "# ```\n"), ("```python ", "a="), ("```repl ", "(")),
        *(("FINAL(", '\\"""'), ("FINAL(", "("), ("FINAL(", "'"), ("FINAL: ", "[")),
    ],
)
def test_a_megabyte_of_anything_is_read_in_bounded_work(start: str, unit: str) -> None:
    parse_reply(start + unit * (1_000_000 // len(unit)), "stop")
