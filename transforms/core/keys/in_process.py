"""Keys stay in the process that opened them: what holds one refuses to be pickled, and shows nothing of it."""


class InProcess:
    """Base of what holds keys. A runner pickles steps before `setup`; a key in a job's graph would be written down."""

    __slots__ = ()

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("keys are opened in setup and never pickled")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
