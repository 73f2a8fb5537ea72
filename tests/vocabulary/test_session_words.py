"""Where the words live: the fixed ones come back, all others give way to variables; the table is true of them."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import Any

import pytest

from rlm_kernel.branches.jupyter_sources import far_side
from rlm_kernel.vocabulary.kit import Kit
from rlm_kernel.vocabulary.table import CORE, FIXED_NAMES, WORDS, Word, reference
from rlm_kernel.vocabulary.tools import check_tools, tool_lines
from support.words import WordSession

ALIASES = {
    "context": "context == 'x'",
    "CONTEXT": "CONTEXT is context",
    "P": "P is context",
    "ctx.text": "ctx.text is context",
    "FILES": "FILES['context'] is context",
    "ctx.documents": "ctx.documents == [context]",
    "llm_query": "llm_query('a') == 'a'",
    "llm_query_batched": "llm_query_batched(['a']) == ['a']",
    "llm_query_batch": "llm_query_batch(['a']) == ['a']",
    "llm_batch": "llm_batch(['a']) == ['a']",
    "rlm_query": "rlm_query('a') == 'a'",
    "rlm_query_batched": "rlm_query_batched(['a']) == ['a']",
    "FINAL": "FINAL('x') is None",
    "FINAL_VAR": "FINAL_VAR('context') is None",
    "SUBMIT": "SUBMIT('x') is None",
    "FINAL_TEXT": "FINAL_TEXT('x') is None",
    "answer": "answer.update(content='x', ready=True) is None",
    "SHOW_VARS": "SHOW_VARS() == {}",
    "memory_status": "memory_status() == {'context': 1}",
    "lenP": "lenP() == 1",
}


@pytest.mark.parametrize(("word", "expression"), ALIASES.items(), ids=ALIASES)
def test_every_alias_means_the_same(word: str, expression: str) -> None:
    session = WordSession("x", children=1)
    assert session.value(expression)
    if word.startswith(("FINAL", "SUBMIT", "answer")):
        given = session.answer()
        assert given is not None
        assert given[1:] == ("x", True)


# ----- the table -------------------------------------------------------------------------------------------------


def _thing(session: WordSession, word: Word) -> Any:
    name = word.name.replace("_N", "_0")
    return session.namespace[name] if word.fixed else session.everywhere[name]


@pytest.mark.parametrize("word", WORDS, ids=[word.name for word in WORDS])
def test_the_table_is_true_of_what_is_installed(word: Word) -> None:
    thing = _thing(WordSession(histories=([],)), word)
    if not word.signature:
        return
    signature = inspect.signature(thing)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    assert str(inspect.Signature(bare)) == word.signature
    assert (inspect.getdoc(thing) or "").partition("\n")[0] == word.doc
    assert "self" not in signature.parameters


def test_the_table_holds_every_word() -> None:
    session = WordSession(histories=([],))
    fixed = {name for name in session.namespace if not name.startswith("__")}
    assert tuple(sorted(fixed)) == FIXED_NAMES
    others = {re.sub(r"_0$", "_N", name) for name in session.everywhere["__rlm_words__"]}
    assert fixed | others == {word.name for word in WORDS}


def test_a_reference_has_a_line_for_each_word() -> None:
    lines = reference().splitlines()
    assert len(lines) == len(CORE)
    assert "- `SHOW_VARS()`: Return the variables by name, with their types." in lines
    with pytest.raises(KeyError):
        reference(["nothing"])


# ----- overwriting -----------------------------------------------------------------------------------------------


def test_peers_29_fixed_words_come_back_and_the_model_is_told() -> None:
    session = WordSession("x")
    notes = session.cell("context = 1; llm_query = None; del FINAL")
    assert len(notes) == 3
    assert "`context` is part of the session and was put back" in notes[0] + notes[1] + notes[2]
    assert session.value("context") == "x"
    assert session.value("llm_query('a')") == "a"
    assert session.cell("x = 1") == []


def test_all_other_words_give_way_to_variables() -> None:
    session = WordSession("x", variables={"search": "the user's"})
    assert session.value("search") == "the user's"
    assert session.cell("history = ['mine']; page = 3; P = 4") == []
    assert session.value("(history, page, P)") == (["mine"], 3, 4)
    session.cell("del page")
    assert session.value("page(1)") == "x"


def test_another_question_takes_the_place_of_the_last() -> None:
    session = WordSession("old", tools={"tool": len}, histories=([],))
    session.update(history=[{"role": "user", "content": "hi"}])
    session.equip(Kit(("old", "new"), current=1))
    assert session.value("(context, context_0, context_1, P, history)") == ("new", "old", "new", "new", [])
    for name in ("tool", "history_0"):
        with pytest.raises(NameError):
            session.value(name)


def test_a_cell_that_deletes_its_words_costs_no_later_question() -> None:
    session = WordSession("old")
    session.cell("del context; __builtins__.pop('page')")
    session.equip(Kit(("new",)))
    assert session.value("page(1)") == "new"


def test_peers_64_contexts_and_histories_of_all_questions() -> None:
    told = [{"role": "user", "content": "first"}]
    session = WordSession()
    session.equip(Kit(("first", "second"), current=1, histories=(told,)))
    assert session.value("(context, context_0, history_0)") == ("second", "first", told)


def test_p_is_text_only_where_that_is_quick() -> None:
    assert WordSession(["a", "b"]).value("P") == "a\n\n---\n\nb"
    rows = [{"a": 1}]
    assert WordSession(rows).value("P") is rows
    assert WordSession(["x" * 10_000_001]).value("P[0][:1]") == "x"


def test_updates_reach_the_next_cell() -> None:
    session = WordSession()
    history = session.value("history")
    session.update({"_result_3": "long"}, [{"role": "user", "content": "hi"}])
    assert session.value("_result_3") == "long"
    assert session.value("history") is history
    assert len(history) == 1


# ----- upkeep ----------------------------------------------------------------------------------------------------


def test_peers_32_what_there_is_and_what_may_go() -> None:
    session = WordSession("12345")
    session.update({"_result_0": "abc"})
    session.cell("import json; text = 'four'; rows = ['ab', 'cd']; _own = 1; loop = []; loop.append(loop)")
    assert session.value("SHOW_VARS()") == {"_result_0": "str", "loop": "list", "rows": "list", "text": "str"}
    sizes = session.value("memory_status()")
    assert {name: sizes[name] for name in ("context", "_result_0", "text", "rows")} == {
        "context": 5,
        "_result_0": 3,
        "text": 4,
        "rows": 4,
    }
    told = session.value("forget('text', '_result_0', 'context', 'FINAL', 'json', 'nothing')")
    assert told.startswith("forgot text; forgot _result_0; kept context: it is part of the session; kept FINAL")
    assert "there is no variable json" in told
    assert set(session.value("SHOW_VARS()")) == {"rows", "loop"}


def test_sizes_of_tables_are_bytes() -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    variables = {"array": numpy.zeros(10), "frame": pandas.DataFrame({"a": numpy.zeros(10)}), "many": ["x"] * 20_000}
    sizes = WordSession(variables=variables).value("memory_status()")
    assert (sizes["array"], sizes["many"]) == (80, 20_000)
    assert sizes["frame"] > 80


def test_peers_36_budget_asks_the_notebooks_side() -> None:
    assert WordSession().value("budget()") == {"called": "budget"}


# ----- tools -----------------------------------------------------------------------------------------------------


def _lookup(key: str, deep: bool = False) -> str:
    """Look a key up.

    More about it.
    """
    return key


def test_peers_50_tools_are_there_and_protected() -> None:
    """Also engines 44."""
    session = WordSession(tools={"lookup": _lookup, "table": {"tool": {"a": 1}, "description": "prices"}})
    assert session.value("(lookup('k'), table)") == ("k", {"a": 1})
    assert "`lookup` is part of the session" in session.cell("lookup = 1")[0]
    assert session.value("SHOW_VARS()") == {}
    assert "kept table" in session.value("forget('table')")


def test_a_prompt_shows_what_tools_do() -> None:
    tools = {"lookup": _lookup, "table": {"tool": [1], "description": "prices"}, "rows": [1], "m": min}
    assert tool_lines(tools).splitlines()[:3] == [
        "- `lookup(key: 'str', deep: 'bool' = False) -> 'str'`: Look a key up.",
        "- `table`: prices",
        "- `rows`: list",
    ]


def test_reserved_names_are_refused() -> None:
    names = [*FIXED_NAMES, "history", "history_0", "context_12", "_x", "no name", "class"]
    assert len(check_tools(dict.fromkeys(names))) == len(names)
    assert check_tools({"search": 1, "contexts": 2, "history_of": 3}) == []


# ----- f()() -----------------------------------------------------------------------------------------------------


def test_engines_29_doubled_calls_are_repaired() -> None:
    import ast

    from rlm_kernel.vocabulary.calls import DoubledCalls

    def run(session: WordSession, code: str) -> list[str]:
        return session.cell(ast.unparse(DoubledCalls().visit(ast.parse(code))))

    session = WordSession(repair_calls=True)
    notes = run(session, "a = 'X'.lower()()\nb = 'X'.lower()()()\nc = 'f()()'\nd = (lambda: lambda: 3)()()")
    assert session.value("(a, b, c, d)") == ("x", "x", "f()()", 3)
    assert len(notes) == 1
    assert "taken for f()" in notes[0]
    assert run(session, "def f(): return print\nf()()\nf()('x', end='')") == []


# ----- the far side of a Jupyter kernel --------------------------------------------------------------------------


def test_the_words_work_where_nothing_of_ours_is_installed() -> None:
    needed = re.compile(r"vocabulary\.|engine\.shaping$")
    sources = {name: text for name, text in far_side().items() if needed.match(name)}
    assert "vocabulary.session" in sources
    code = f"""
import sys, types
def module(name):
    made = sys.modules[name] = types.ModuleType(name)
    return made
for package in ("_far", "_far.engine", "_far.vocabulary"):
    module(package).__path__ = []
for name, source in {sources!r}.items():
    made = module("_far." + name)
    made.__package__ = made.__name__.rpartition(".")[0]
    exec(compile(source, "<far>", "exec"), vars(made))
from _far.vocabulary.session import Vocabulary
from _far.vocabulary.kit import Kit
class Far(Vocabulary):
    error = RuntimeError
    def call(self, name, /, **arguments):
        return [{{"text": prompt}} for prompt in arguments["prompts"]]
far = Far(globals(), Kit(("the text",)))
far.begin_cell()
exec("reply = llm_query(P, 'Who?'); FINAL(reply)")
print(repr(far.describe_answer()["text"]), "rlm_kernel" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-I", "-"], input=code, capture_output=True, text=True, check=False)
    assert done.stdout == "'the text\\n\\nWho?' False\n", done.stderr
