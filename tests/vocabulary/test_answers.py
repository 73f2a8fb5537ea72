"""Every way to answer in code ends with the value itself, of any type, read when the cell has ended."""

from __future__ import annotations

from typing import Any

import pytest

from support.words import WordSession

WAYS_OF_42 = {
    "in order": 'answer["content"] = 42; answer["ready"] = True',
    "ready first": 'answer["ready"] = True; answer["content"] = 42',
    "update": "answer.update(content=42, ready=True)",
    "update with a dict": 'answer.update({"ready": True, "content": 42})',
    "or": 'answer |= {"ready": True, "content": 42}',
    "new dict": 'answer = {"content": 42, "ready": True}',
    "new dict, then ready": 'answer = dict(content=42); answer["ready"] = "yes"',
    "several assignments": 'answer["content"] = 1; answer["ready"] = True; answer["content"] = 42',
    "in a function": 'def give():\n    answer["content"] = 42\n    answer["ready"] = True\ngive()',
    "exception after it": 'answer["content"] = 42; answer["ready"] = True; 1 / 0',
    "FINAL": "FINAL(42)",
    "FINAL twice": "FINAL(1); FINAL(42)",
    "FINAL, then an exception": "FINAL(42); 1 / 0",
    "FINAL_VAR by name": 'x = 42; FINAL_VAR("x")',
    "FINAL_VAR by name in quotes": "x = 42; FINAL_VAR(\"'x'\")",
    "FINAL_VAR of the variable": "x = 42; FINAL_VAR(x)",
    "SUBMIT": "SUBMIT(42)",
    "SUBMIT with the usual name": "SUBMIT(answer=42)",
}


@pytest.mark.parametrize("code", WAYS_OF_42.values(), ids=WAYS_OF_42)
def test_engines_06_every_way_to_answer_gives_the_value(code: str) -> None:
    """Also engines 7, peers 19, 20, 21."""
    assert WordSession().final(code) == 42


@pytest.mark.parametrize(
    "expression", ["0", '""', "{}", "[]", "False", "None", "(1, 2)", '{"a": [1]}', "object", "len"]
)
def test_peers_17_any_value_is_an_answer(expression: str) -> None:
    given = WordSession().final(f"FINAL({expression})")
    assert given == eval(expression)
    assert type(given) is type(eval(expression))


@pytest.mark.parametrize("value", [0, "", {}, False])
def test_a_falsy_content_is_an_answer(value: Any) -> None:
    assert WordSession().final(f'answer["content"] = {value!r}; answer["ready"] = True') == value


def test_the_answer_is_the_very_object() -> None:
    session = WordSession()
    given = session.final("rows = [1, 2]; FINAL(rows)")
    assert given is session.namespace["rows"]


def test_an_empty_ready_answer_is_refused_with_a_note() -> None:
    session = WordSession()
    notes = session.cell('answer["ready"] = True')
    assert session.answer() is None
    assert "there is no answer yet" in notes[0]
    assert session.final('answer["content"] = 7') == 7


@pytest.mark.parametrize("ready", ["False", "'no'", "0", "None", "''"])
def test_an_answer_that_is_not_ready_is_a_draft(ready: str) -> None:
    session = WordSession()
    session.cell(f'answer["content"] = "so far"; answer["ready"] = {ready}')
    assert session.answer() == ("answer", "so far", False)


def test_a_table_in_ready_is_no_crash() -> None:
    numpy = pytest.importorskip("numpy")
    session = WordSession(variables={"array": numpy.arange(3)})
    assert session.final('answer["content"] = 1; answer["ready"] = array') == 1


@pytest.mark.parametrize("code", ["answer = 42", 'answer = {"total": 1}', "del answer", "answer = None"])
def test_an_answer_that_is_no_answer_dict_is_put_back(code: str) -> None:
    session = WordSession()
    assert "is a dict and was put back" in session.cell(code)[0]
    assert session.namespace["answer"]["ready"] is False
    assert session.final('answer["content"] = 7; answer["ready"] = True') == 7


def test_an_answer_that_was_sent_back_never_comes_again() -> None:
    for code in ("FINAL(1)", 'answer["content"] = 1; answer["ready"] = True'):
        session = WordSession()
        assert session.final(code) == 1
        session.update(clear_answer=True)
        session.cell("x = 1")
        assert session.answer() is None


def test_peers_19_a_missing_name_is_explained_with_similar_ones() -> None:
    session = WordSession()
    session.cell("total_sales = 3")
    with pytest.raises(NameError, match="did you mean total_sales"):
        session.value('FINAL_VAR("total_sale")')
    assert session.answer() is None


def test_the_text_in_a_variable_is_no_name() -> None:
    assert WordSession().final('city = "".join(["Par", "is"]); FINAL_VAR(city)') == "Paris"


def test_final_text_takes_text_only() -> None:
    session = WordSession()
    assert session.final('FINAL_TEXT("yes")') == "yes"
    with pytest.raises(TypeError, match="takes text, not int"):
        session.value("FINAL_TEXT(1)")


def test_submit_without_anything_and_with_both_is_refused() -> None:
    session = WordSession()
    for code in ("SUBMIT()", "SUBMIT(1, a=2)"):
        with pytest.raises(TypeError, match="SUBMIT takes"):
            session.value(code)


@pytest.mark.parametrize("code", ['SUBMIT("a", 2)', 'SUBMIT("a", price=2)', 'SUBMIT(name="a", price=2)'])
def test_peers_21_fields_by_position_and_by_name(code: str) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "price": {"type": "number"}}}
    session = WordSession(answer_type=schema)
    assert session.final(code) == {"name": "a", "price": 2}
    with pytest.raises(TypeError, match="takes 2 values"):
        session.value("SUBMIT(1, 2, 3)")


def test_submit_keeps_several_values_of_an_answer_without_fields() -> None:
    assert WordSession().final("SUBMIT(1, 2)") == (1, 2)
    assert WordSession().final("SUBMIT(a=1, b=2)") == {"a": 1, "b": 2}


def test_an_answer_is_described_as_far_as_json_goes() -> None:
    session = WordSession()
    session.cell("FINAL({'a': 1})")
    told = session.describe_answer()
    assert told is not None
    assert told["exact"]
    assert (told["value"], told["via"], told["problem"]) == ({"a": 1}, "FINAL", "")
    session.cell("FINAL({1})")
    told = session.describe_answer()
    assert told is not None
    assert not told["exact"]
    assert (told["text"], told["value_type"]) == ("{1}", "set")
