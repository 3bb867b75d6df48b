"""Flags of the jobs that run on Beam: their own and Beam's, parsed together, so that an unknown one is refused."""

from collections.abc import Sequence
from typing import Any, TypeVar

from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser

from pipelines.options.flags import EXIT_CODES, RefusingParser, command_of
from pipelines.options.submission import keep_to_the_steps
from schemas.errors import InvalidOptions

Options = TypeVar("Options", bound=PipelineOptions)


class JobOptions(PipelineOptions):
    """Base of a job's own flags, which no runner gets to see.

    A runner sends all options that it is given to its workers as JSON (Beam 2.77), which a timedelta does not fit
    and where a path of keys is nobody's business. Beam finds flags to parse again in direct subclasses of
    PipelineOptions; a subclass of this class is none.
    """

    @property
    def given_flags(self) -> set[str]:
        """Names of the flags that were given, as `--input`: a default may be given, too."""
        return {flag.partition("=")[0] for flag in self._flags}

    def for_runner(self) -> PipelineOptions:
        """Beam's own options alone, as they are now."""
        own = _BeamArgumentParser(allow_abbrev=False)
        for part in _own_parts(type(self)):
            part._add_argparse_args(own)
        flags, beams = own.parse_known_args(self._flags)
        return PipelineOptions(beams, **{k: v for k, v in self._all_options.items() if k not in vars(flags)})


def _own_parts(kind: type[PipelineOptions]) -> list[Any]:
    """The classes whose flags a job's options have, as Beam itself asks a class and its bases."""
    return [part for part in kind.__mro__[: kind.__mro__.index(PipelineOptions)]
            if "_add_argparse_args" in vars(part)]  # fmt: skip


class _PipelineParser(RefusingParser, _BeamArgumentParser):
    """Parser of all of Beam's flags and a job's own."""


def parse_pipeline_options(job: str, kind: type[Options], required: Sequence[str], argv: Sequence[str]) -> Options:
    """A job's flags and Beam's own.

    Beam ignores flags it does not know, so all are parsed here first; raises
    InvalidOptions on one that is unknown, has a value that is not allowed, or
    is required and missing.
    """
    usage = f"{command_of(job)} {' '.join(f'--{name} ...' for name in required)} [flags]"
    parser = _PipelineParser(
        prog=f"pipelines.{job}", usage=usage, description=kind.__doc__, epilog=EXIT_CODES, allow_abbrev=False
    )
    own = parser.add_argument_group(f"flags of pipelines.{job}")
    for part in _own_parts(kind):
        part._add_argparse_args(own)
    beam: Any = parser.add_argument_group("Beam's own flags")
    beam.add_value_provider_argument = parser.add_value_provider_argument
    for options in {str(o): o for o in PipelineOptions.__subclasses__()}.values():
        if options.__module__.startswith(("apache_beam.", "pipelines.runners.")):  # and none of what a person imported
            options._add_argparse_args(beam)
    given = parser.parse_args(list(argv))
    missing = [f"--{name}" for name in required if getattr(given, name) is None]
    if missing:
        raise InvalidOptions(f"required and missing: {', '.join(missing)}")
    options = kind(list(argv))
    keep_to_the_steps(options)
    return options
