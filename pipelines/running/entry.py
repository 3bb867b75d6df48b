"""The command `suggestion-telemetry`: one word for each job, the same as `python -m pipelines.<job>`."""

import ast
import importlib
import importlib.util
import pkgutil
import sys
from importlib.abc import InspectLoader

import pipelines
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions


def main() -> None:
    """Runs the job that the first word names, with the flags behind it; does not return.

    The job is a module that is imported by its name, never `__main__`, so workers elsewhere find what its graph names.
    """
    job, *flags = sys.argv[1:] or ["--help"]
    if job in ("--help", "-h"):
        print(_usage())
    elif job in (known := jobs()):
        sys.argv = [f"{pipelines.COMMAND} {job}", *flags]
        run_job(importlib.import_module(f"pipelines.{job}").main)
    else:
        run_job(lambda _: _refuse(job, known))


def jobs() -> dict[str, str]:
    """The jobs and what each is for, in a line; read from their files, as importing them takes seconds."""
    found = {}
    for module in pkgutil.iter_modules(pipelines.__path__):
        page = ast.parse(_source(f"pipelines.{module.name}")) if not module.ispkg else ast.Module([], [])
        if any(isinstance(part, ast.FunctionDef) and part.name == "main" for part in page.body):
            found[module.name] = (ast.get_docstring(page) or "").partition("\n")[0]
    return found


def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert isinstance(spec.loader, InspectLoader)
    return spec.loader.get_source(name) or ""


def _usage() -> str:
    lines = [f"  {name:<12}{line}" for name, line in jobs().items()]
    command = pipelines.COMMAND
    return "\n".join([f"usage: {command} JOB [flags]", "", *lines, "", f"{command} JOB --help shows a job's flags."])


def _refuse(job: str, known: dict[str, str]) -> None:
    raise InvalidOptions(f"{job!r} is no job; allowed are {', '.join(known)}")
