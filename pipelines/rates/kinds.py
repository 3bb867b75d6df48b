"""Kinds of suggestions, as rates know them."""

GHOST_TEXT, NEXT_EDIT, INLINE_CHAT, AGENT_EDIT = "ghost_text", "next_edit", "inline_chat", "agent_edit"

AT_THE_CURSOR = (GHOST_TEXT, NEXT_EDIT)
"""Kinds that an editor shows by itself, whenever there is a chance to."""

IN_WORDS = (INLINE_CHAT, AGENT_EDIT)
"""Kinds that somebody asks for in words. No event tells that they were shown."""

KINDS = (*AT_THE_CURSOR, *IN_WORDS)

ANY = "(any)"
"""Stands in the column `kind` of what is counted over all kinds together. In parentheses, as it is no kind."""


def listed(kinds: tuple[str, ...]) -> str:
    """The kinds as SQL's `in` takes them."""
    return ", ".join(f"'{kind}'" for kind in kinds)
