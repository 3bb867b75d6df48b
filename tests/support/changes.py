"""Jobs that change landed files, as a person runs them: a dry run, then its checksum."""

from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO

Main = Callable[[Sequence[str]], None]


def dry(main: Main, *flags: str) -> tuple[str, str]:
    """What a dry run prints, and its checksum."""
    out = StringIO()
    with redirect_stdout(out):
        main([*flags, "--dry_run"])
    text = out.getvalue()
    return text, text.splitlines()[-1].removeprefix("checksum ")


def done(main: Main, *flags: str) -> str:
    """What the change prints; its checksum is that of a dry run."""
    _, checksum = dry(main, *flags)
    out = StringIO()
    with redirect_stdout(out):
        main([*flags, f"--checksum={checksum}"])
    return out.getvalue()
