"""What tests of the docs share: the code blocks of a page."""

import re


def code_blocks(page: str, kind: str) -> list[str]:
    """The texts of the blocks of that kind, in order."""
    return re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)
