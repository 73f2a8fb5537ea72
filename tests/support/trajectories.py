"""The cells that a capable model sends for the made tasks, turn by turn."""

from __future__ import annotations

__all__ = ["AUDIT", "MOODS", "PARAPHRASED", "SALARIES", "flat_total"]

PARAPHRASED = (
    "print(type(context), len(context), sum(map(len, context)))\nprint(context[0][:300])",
    """\
import re
clues = re.compile(r"\\b(key|code|password|type|unlock|enter|strongroom|safe)\\b", re.IGNORECASE)
lines = [line for text in context for line in text.splitlines() if clues.search(line)]
print(len(lines), "lines may tell")
ask = "What is the access key? Reply with the key alone, or NOT FOUND.\\n"
replies = llm_query_batched([ask + line for line in lines])
print(list(zip(lines, replies)))""",
    'found = [reply for reply in replies if reply and reply != "NOT FOUND"]\nFINAL(found[0])',
)
"""Searches in code for lines that may tell, has those read."""

SALARIES = (
    'blocks = context.split("\\n\\n")\nprint(len(blocks))\nprint(blocks[0])',
    """\
import re
mine = [block for block in blocks if "works in Engineering" in block]
said = [re.search(r"yearly salary is (.+?), without", block)[1] for block in mine]
print(len(mine), said[:12])""",
    """\
def amount(text):
    match = re.fullmatch(r"\\$?([\\d,.]+)([MK]?)(?: dollars)?", text)
    return match and round(float(match[1].replace(",", "")) * {"": 1, "K": 1_000, "M": 1_000_000}[match[2]])

amounts = {number: amount(text) for number, text in enumerate(said)}
unread = [number for number, value in amounts.items() if value is None]
ask = "Write each amount in digits, no commas. Reply with a line `number: amount` for each."
parts = [unread[start:start + 25] for start in range(0, len(unread), 25)]
replies = llm_query_batched([ask + "".join(f"\\n{number}: {said[number]}" for number in part) for part in parts])
for reply in replies:
    for number, value in re.findall(r"^(\\d+): (\\d+)$", reply, re.MULTILINE):
        amounts[int(number)] = int(value)
print(len(unread), "were in words;", [said[number] for number, value in amounts.items() if value is None], "are left")
print(sum(amounts.values()))""",
    "FINAL(sum(amounts.values()))",
)
"""Reads digits in code, has numbers in words read by the sub model, adds up in code."""

AUDIT = (
    "lines = context.splitlines()\nprint(len(lines))\nprint(lines[0])",
    """\
import re
rows = [line.split(" | ", 3) for line in lines]
texts = {name: text.partition(" [")[0] for name, _, _, text in rows}
money = re.compile(r"charge|invoice|money|debit|paid|\\bpay|card|bill\\b|fee\\b|account although", re.IGNORECASE)
suspects = [name for name, text in texts.items() if money.search(text)]
print(len(suspects), [texts[name] for name in suspects[:6]])""",
    """\
ask = "Is each a complaint about a wrong charge, invoice or debit? Reply with a line `ticket: yes` or `ticket: no`."
labels = {}
for attempt in range(4):
    todo = [name for name in suspects if name not in labels]
    parts = [todo[start:start + 40] for start in range(0, len(todo), 40)]
    replies = llm_query_batched([ask + "".join(f"\\n{name}: {texts[name]}" for name in part) for part in parts])
    for part, reply in zip(parts, replies):
        said = dict(re.findall(r"^(T\\d+): (yes|no)$", reply, re.MULTILINE))
        labels |= {name: said[name] for name in part if name in said}
    print(len(todo), "asked,", len(labels), "labelled")
    if len(labels) == len(suspects):
        break""",
    """\
from collections import Counter
billing = [(row, line) for row, line in zip(rows, lines) if labels.get(row[0]) == "yes"]
counts = Counter(row[2] for row, line in billing)
top = sorted(counts, key=lambda name: (-counts[name], name))[:3]
result = {
    "billing_count": len(billing),
    "refund_total": sum(int(n) for row, line in billing for n in re.findall(r"refunded \\$(\\d+)", line)),
    "top_customers": top,
    "evidence": [line for row, line in billing if row[2] == top[0]],
}
print({name: value for name, value in result.items() if name != "evidence"}, len(result["evidence"]))""",
    "FINAL(result)",
)
"""Narrows down in code, has batches of tickets labelled and asks again for what is missing, adds up in code."""

MOODS = (
    "print(context)",
    """\
ask = "Is this review positive or negative? Reply with one word.\\nReview: "
moods = llm_query_batched([ask + review for review in context])
print(moods)""",
    'FINAL(moods.count("positive"))',
)
"""Has every review read by itself."""


def flat_total(page: str = "") -> tuple[str, ...]:
    """Return the cells that print all records before they add up; `page` is one that looks at what was stored."""
    lines = """\
def line(record):
    pay = record["salary"] // 12
    return f"Employee {record['id']:03} of {record['department']} earns {record['salary']:,} dollars, {pay:,} a month."

for record in context:
    print(line(record))"""
    mine = """\
mine = [record for record in context if record["department"] == "Engineering"]
for record in mine:
    print(line(record))"""
    sums = """\
for name in dict.fromkeys(record["department"] for record in context):
    amounts = [record["salary"] for record in context if record["department"] == name]
    print(f"{name}: {len(amounts)} people, {min(amounts):,} to {max(amounts):,}, in all {sum(amounts):,}", amounts)"""
    answer = 'FINAL(sum(record["salary"] for record in mine))'
    return tuple(code for code in (lines, page, mine, sums, answer) if code)
