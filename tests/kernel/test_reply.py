"""Which parts of a model's reply are run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.engine.reply import Reply, parse_reply


@pytest.mark.parametrize("language", ["repl", "python", "py", "ipython", "Python", "REPL", "python3", "", "{python}"])
@pytest.mark.parametrize("fence", ["```", "~~~", "`````"])
def test_every_fence_of_ours_runs(language: str, fence: str) -> None:
    assert parse_reply(f"Text.\n{fence}{language}\nx = 1\n{fence}\nMore.") == Reply(["x = 1\n"])


@pytest.mark.parametrize(
    ("reply", "blocks"),
    [
        ("no code at all", []),
        ("", []),
        ("inline `x = 1` and ```x``` are not blocks", []),
        ("```json\n{}\n```", []),
        ("```bash\nrm -rf /\n```", []),
        ("```\n   \n```", []),
        ("> ```python\n> quoted = 1\n> ```", []),
        ("1. first\n   ```python\n   a = 1\n   ```\n2. then\n   ```python\n   b = 2\n   ```", ["a = 1\n", "b = 2\n"]),
        ("  ```repl\n  a = 1\n  ```", ["a = 1\n"]),
        ("````python\ns = '''\n```\n'''\n````", ["s = '''\n```\n'''\n"]),
        ("```python title=x\na = 1\n```", ["a = 1\n"]),
        ("```repl\r\na = 1\r\n```\r\n", ["a = 1\n"]),
        ("<think>```python\na = 1\n```</think>", []),
    ],
)
def test_what_is_code_and_what_is_not(reply: str, blocks: list[str]) -> None:
    assert parse_reply(reply).blocks == blocks


def test_a_fence_that_never_ends_is_told_and_not_run() -> None:
    assert parse_reply("```repl\na = 1\n```\n```repl\nb = [1,") == Reply(["a = 1\n"], unclosed=True)
    assert parse_reply("```repl\na = '~~~'\n~~~") == Reply([], unclosed=True)


@given(
    st.text(alphabet=st.sampled_from(list("`~> \n\tabrepl1.-{}'\"\r\x0c\u2028")), max_size=80) | st.text(max_size=200)
)
def test_any_text_is_fine(text: str) -> None:
    reply = parse_reply(text)
    assert all(block.strip() for block in reply.blocks)
