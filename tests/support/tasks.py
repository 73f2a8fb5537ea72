"""Tasks that are made, not collected: a context, a question, its true answer, and the lines the answer rests on.

The same seed gives the same bytes. The truth comes out of the making: nothing here reads a context to find an answer.

    needle       one fact among documents: behind a marker, stated, in other words, or absent
    salaries     records in prose whose amounts are written in four ways, to be added up
    audit        support tickets: some are about billing, some were refunded
    five         a hidden number, topics of documents, a small context, eight moods, the mean of 100 numbers
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

__all__ = [
    "DEPARTMENTS",
    "NEEDLES",
    "TENS",
    "TOPICS",
    "UNITS",
    "Task",
    "audit",
    "five",
    "flat_salaries",
    "needle",
    "salaries",
]


@dataclass(frozen=True)
class Task:
    """A question with its context and its true answer; `evidence` are the parts of the context that it rests on."""

    context: Any
    question: str
    truth: Any
    evidence: tuple[str, ...] = ()


_NOUNS = ["harbour", "ledger", "orchard", "bridge", "archive", "lantern", "quarry", "mill", "canal", "tower"]
_VERBS = ["crosses", "follows", "records", "passes", "meets", "leaves", "serves", "faces", "joins", "keeps"]
_ADJECTIVES = ["quiet", "northern", "narrow", "early", "wooden", "distant", "common", "grey", "steady", "old"]

LINES = 8
"""Lines of filler in a document of the needle task."""


def _filler(dice: random.Random, words: int) -> str:
    """Return one line of that many words or a few more."""
    said: list[str] = []
    while len(said) < words:
        said += ["The", dice.choice(_ADJECTIVES), dice.choice(_NOUNS), dice.choice(_VERBS)]
        said += ["the", dice.choice(_ADJECTIVES), f"{dice.choice(_NOUNS)}."]
    return " ".join(said)


# ----- one fact among documents ------------------------------------------------------------------------------

NEEDLES = {
    "delimited": ("<<KEY>> {key} <<END>>", 'What comes after "<<KEY>>"?'),
    "stated": ("The access key of the vault is {key}.", "What is the access key of the vault?"),
    "paraphrased": ("Whoever wants to open the strongroom has to type {key} first.", "What is the access key?"),
    "absent": ("", "What is the access key of the vault?"),
}
"""The line that is hidden and the question, by variant."""


def needle(documents: int, variant: str = "stated", seed: int = 1) -> Task:
    """Return a task over documents of eight lines, the fact in the one at 80 %; `None` is the truth if it is absent."""
    dice = random.Random(f"needle {seed} {documents}")
    texts = [[_filler(dice, 50) for _ in range(LINES)] for _ in range(documents)]
    key = f"XK-{dice.randrange(1_000, 10_000)}-{dice.choice('KLMNPQ')}"
    line, question = NEEDLES[variant]
    stated = line.replace("{key}", key)
    if stated:
        texts[documents * 4 // 5].insert(LINES // 2, stated)
    found = (stated,) if stated else ()
    return Task(["\n".join(lines) for lines in texts], question, key if stated else None, found)


# ----- amounts in prose --------------------------------------------------------------------------------------

DEPARTMENTS = ("Engineering", "Sales", "Finance", "Support", "Research")
_FIRST = ["Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gia", "Hugo", "Ida", "Jon"]
_LAST = ["Archer", "Berg", "Castell", "Dorn", "Engel", "Falk", "Grant", "Holm", "Iversen", "Jansen"]
UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
UNITS += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def salaries(records: int, seed: int = 1) -> Task:
    """Return records of about 244 characters; the question is what one department earns in all."""
    dice = random.Random(f"salaries {seed} {records}")
    blocks, total, evidence = [], 0, []
    for number in range(records):
        department = DEPARTMENTS[dice.randrange(5)]
        amount = 1_000 * dice.randrange(48, 160) if dice.random() < 0.9 else 100_000 * dice.randrange(10, 20)
        written = _written(amount, number % 4)
        name = f"{_FIRST[number % 10]} {_LAST[number // 10 % 10]}"
        block = (
            f"Record {number + 1:04}. {name} joined on 20{dice.randrange(10, 25)}-0{dice.randrange(1, 10)}-11 and "
            f"works in {department}, desk {dice.randrange(100, 999)}. The yearly salary is {written}, without a bonus "
            f"of ${dice.randrange(1, 9)},000 that was paid once. {_filler(dice, 12)}"
        )
        blocks.append(block)
        if department == DEPARTMENTS[0]:
            total += amount
            evidence.append(block)
    question = "What is the sum of the yearly salaries in Engineering, in dollars, without bonuses?"
    return Task("\n\n".join(blocks), question, total, tuple(evidence))


def flat_salaries() -> Task:
    """Return 50 records by a fixed formula; the departments take turns, and Engineering earns 725,000 in all."""
    amounts = [50_000 + 1_000 * number + 5_000 * (number % 5) for number in range(50)]
    records = [
        {"id": number, "department": DEPARTMENTS[number % 5], "salary": amount} for number, amount in enumerate(amounts)
    ]
    return Task(records, "What is the total salary in Engineering?", sum(amounts[::5]))


def _written(amount: int, way: int) -> str:
    """Return an amount as a person may write it."""
    if amount >= 1_000_000 and way != 1:
        return f"${amount / 1_000_000:g}M"
    return (f"${amount:,}", f"{amount:,} dollars", f"${amount // 1_000}K", f"{_words(amount)} dollars")[way]


def _words(amount: int) -> str:
    """Return a number of whole thousands below ten million in words."""
    parts = []
    if millions := amount // 1_000_000:
        parts.append(f"{UNITS[millions]} million")
    if thousands := amount // 1_000 % 1_000:
        parts.append(f"{_below_a_thousand(thousands)} thousand")
    return " ".join(parts)


def _below_a_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    parts = [f"{UNITS[hundreds]} hundred"] if hundreds else []
    if rest >= 20:
        parts.append(TENS[rest // 10 - 2] + (f"-{UNITS[rest % 10]}" if rest % 10 else ""))
    elif rest:
        parts.append(UNITS[rest])
    return " ".join(parts)


# ----- support tickets ---------------------------------------------------------------------------------------

_BILLING = (
    "I was charged twice for order {n}, please look at my card statement and correct it.",
    "The invoice for order {n} shows an amount that I never agreed to when I signed up.",
    "Money for order {n} left my account although I had cancelled it the day before.",
    "You debited the yearly fee for plan {n} again, one week after I had already paid it.",
)
_OTHER = (
    "The parcel of order {n} has been stuck at the depot for nine days without a word.",
    "The app closes by itself as soon as I open the map on page {n} of the atlas.",
    "I cannot sign in since the update, and the reset mail number {n} never arrives.",
    "Order {n} came in the wrong colour, and I would like to exchange it for the grey one.",
    "Please change the address of account {n}, we moved to another town last weekend.",
)
_CLOSINGS = ("Thank you.", "Please reply soon.", "Best wishes.", "Kind regards.")
_LURES = (
    "The card with the care instructions was missing from the box of order {n}, send one.",
    "My colleague Bill picked up order {n}, no charge of any kind, just wanted to say thanks.",
    "I paid for order {n} without trouble, but the parcel never came to my front door.",
)


def audit(tickets: int = 400, seed: int = 1) -> Task:
    """Return tickets, one a line; asked for are counts, refunds, customers and the lines that prove it."""
    dice = random.Random(f"audit {seed} {tickets}")
    lines, refunds, customers = [], 0, dict[str, list[str]]()
    for number in range(1, tickets + 1):
        kind = dice.choices((_BILLING, _LURES, _OTHER), (12, 6, 82))[0]
        customer = f"C{min(int(dice.expovariate(0.12)), 59):03}"
        refund = 5 * dice.randrange(2, 30) if kind is not _LURES and dice.random() < 0.3 else 0
        text = f"{dice.choice(kind)} {dice.choice(_CLOSINGS)}".replace("{n}", str(dice.randrange(10_000, 99_999)))
        line = f"T{number:04} | 2025-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02} | {customer} | {text}"
        line += f" [refunded ${refund}.00]" if refund else ""
        lines.append(line)
        if kind is _BILLING:
            refunds += refund
            customers.setdefault(customer, []).append(line)
    top = sorted(customers, key=lambda name: (-len(customers[name]), name))[:3]
    question = (
        "Which tickets are complaints about billing? Answer with a dict: billing_count; refund_total, in dollars, of "
        "those; top_customers, the three with the most of them, ties by name; evidence, the whole lines of the first."
    )
    truth = {
        "billing_count": sum(map(len, customers.values())),
        "refund_total": refunds,
        "top_customers": top,
        "evidence": customers[top[0]],
    }
    return Task("\n".join(lines), question, truth, tuple(customers[top[0]]))


# ----- five small ones ---------------------------------------------------------------------------------------

TOPICS = ("postgres", "kafka", "redis")
_PRAISE = ("I would buy it again tomorrow.", "It works like a charm.", "A joy to use every day.", "Best of its kind.")
_BLAME = ("It broke on day one.", "A waste of an afternoon.", "I sent it back at once.", "Never again, sadly.")


def five(seed: int = 1) -> dict[str, Task]:
    """Return the five by name: `hidden`, `topics`, `small`, `moods` and `mean`."""
    dice = random.Random(f"five {seed}")
    number = str(dice.randrange(100_000, 1_000_000))
    lines = [_filler(dice, 50) for _ in range(600)]
    lines.insert(400, f"The magic number is {number}.")
    named = [dice.sample(TOPICS, dice.randrange(3)) for _ in range(40)]
    documents = {
        f"note_{i:02}.md": " ".join([_filler(dice, 30), *(f"We run {topic} here." for topic in topics)])
        for i, topics in enumerate(named)
    }
    port = str(dice.randrange(2_000, 9_000))
    moods = [dice.choice((_PRAISE, _BLAME)) for _ in range(8)]
    numbers = [dice.randrange(1_000) for _ in range(100)]
    return {
        "hidden": Task("\n".join(lines), "What is the magic number?", number),
        "topics": Task(documents, "How many documents mention", {t: sum(t in n for n in named) for t in TOPICS}),
        "small": Task(f"host: example\nport: {port}\n", "Which port is configured?", port),
        "moods": Task(
            [dice.choice(mood) for mood in moods],
            "How many of the reviews are positive?",
            sum(mood is _PRAISE for mood in moods),
        ),
        "mean": Task(numbers, "What is the average?", sum(numbers) / 100),
    }
