"""The parts of the fixed prompt that only some runs need, each added when the setting that needs it is on."""

from __future__ import annotations

from ..models.windows import piece_size
from ..vocabulary.shapes import shape_of
from ..vocabulary.tools import tool_lines
from .profiles import PROFILES
from .prompt import SYSTEM
from .tree import Tree

__all__ = ["MODEL_NOTES", "system_prompt"]

MODEL_NOTES: tuple[tuple[str, str], ...] = (
    (
        "qwen",
        "- Keep the number of sub-calls small: put many items into one prompt (up to the size above) instead of one "
        "item each.",
    ),
    (
        "llama",
        "- Write one short cell per turn, and end every fence with ```.",
    ),
    (
        "gemma",
        "- Write one short cell per turn, and end every fence with ```.",
    ),
)
"""What some model families need to be told, by a part of their name."""

_ORCHESTRATE = """\
Plan and delegate
- Split the question into parts that can be answered on their own, give each to a child with \
`rlm_query_batched(questions, contexts)`, and put the answers together. Do the reading in the children, not here."""
_WORK = """\
You are the helper that another session asked. Answer exactly the question you were given, about your own `context`, \
in as few turns as you can."""
_COMPACTED = "- When the conversation gets long it is summed up; the list `history` has every earlier message."
_TOOLS = "The user's own tools, to be called and read in cells like the others:"
_LIMITS = "- There are limits on {what}; `budget()` tells what is left."


def system_prompt(tree: Tree, *, depth: int, earlier: int = 0) -> str:
    """Return the fixed prompt of a trajectory.

    Args:
        tree: the run's shared side.
        depth: 0 for the root, more for children.
        earlier: how many questions were asked before this one.

    """
    settings = tree.settings
    piece = f"- A prompt of up to {piece_size(tree.sub_window):,} characters is fine for the sub model."
    parts = [SYSTEM + "\n".join([piece, *_remarks(tree, depth)])]
    parts.append(_WORK if depth else PROFILES[settings.profile].advice)
    if settings.orchestrator and depth == 0:
        parts.append(_ORCHESTRATE)
    hooks = tree.hooks
    if tools := tool_lines(hooks.sub_tools if depth and hooks.sub_tools is not None else hooks.tools):
        parts.append(f"{_TOOLS}\n{tools}")
    if settings.answer_type is not None and depth == 0:
        parts.append(f"The answer must be of this type: {shape_of(settings.answer_type)}")
    if earlier:
        parts.append(_follow_up(earlier))
    own = settings.instructions if depth == 0 else settings.child_instructions or settings.instructions
    parts.append(own or "")
    return "\n\n".join(part for part in parts if part)


def _remarks(tree: Tree, depth: int) -> list[str]:
    settings = tree.settings
    remarks = []
    if settings.compaction and depth == 0:
        remarks.append(_COMPACTED)
    limits = {"tokens": settings.max_tokens, "money": settings.max_budget, "time": settings.max_time}
    if any(limits.values()):
        remarks.append(_LIMITS.replace("{what}", " and ".join(name for name, limit in limits.items() if limit)))
    model = (tree.endpoint.sub_model if depth else tree.endpoint.model).lower()
    remarks += [note for part, note in MODEL_NOTES if part in model]
    return remarks


def _follow_up(earlier: int) -> str:
    last = f"history_{earlier - 1}"
    times = "1 earlier one" if earlier == 1 else f"{earlier} earlier ones"
    return (
        f"This question follows {times}. Their contexts are `context_0` and so on, the last conversation is the list "
        f"`{last}`, and variables of then may still be there: SHOW_VARS()."
    )
