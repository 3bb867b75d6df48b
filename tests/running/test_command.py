"""How a command ends: its exit code, one line on stderr, nothing of a traceback, and no secret of a URL."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pipelines.options.flags import EXIT_CODES, EXIT_MEANINGS
from pipelines.running.interrupts import TOLD

ROOT = Path(__file__).parents[2]


def run(body: str) -> tuple[int, str, str]:
    """A command whose main is this, in a process of its own."""
    code = f"""
import sys, threading, time, logging
from pipelines.running.command import run_job
from schemas import errors
def main(argv):
{textwrap.indent(textwrap.dedent(body), "    ")}
run_job(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "one", "two"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    return done.returncode, done.stdout, done.stderr


def test_a_command_gets_its_arguments_and_ends_with_0() -> None:
    assert run("print(argv)") == (0, "['one', 'two']\n", "")


def test_what_was_printed_is_there_though_python_is_not_torn_down() -> None:
    code, out, told = run("""
        import atexit
        atexit.register(lambda: print('torn down'))
        sys.stdout.write('x' * 100_000)
        sys.stderr.write('y')
    """)
    assert (code, len(out), told) == (0, 100_000, "y")


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        ("errors.InvalidOptions('--to x: allowed is y')", 1, "error: --to x: allowed is y\n"),
        ("errors.KeyUnavailable('of\\n  two\\tlines')", 1, "error: of two lines\n"),
        ("errors.UnusableInput('nothing landed')", 3, "error: nothing landed\n"),
        ("errors.NothingToRead('--input x: no match')", 4, "nothing to do: --input x: no match\n"),
        ("errors.UnbalancedBooks('3 places')", 5, "error: 3 places\n"),
        ("errors.OutputInUse('held')", 75, "error: held\n"),
        (
            "errors.StorageUnavailable('cannot read s3://u:hunter2@b/k?sig=hunter2')",
            75,
            "error: cannot read s3://***@b/k?***\n",
        ),
        ("errors.InternalError('')", 70, "error: \n"),
        ("KeyboardInterrupt()", 130, f"{TOLD}\n"),
    ],
)
def test_errors_are_one_line_and_have_their_exit_code(raised: str, code: int, told: str) -> None:
    assert run(f"raise {raised}") == (code, "", told)


def test_the_books_of_an_unusable_input_follow_on_stdout() -> None:
    body = "error = errors.UnusableInput('nothing landed')\nerror.books = '3 events'\nraise error"
    assert run(body) == (3, "3 events\n", "error: nothing landed\n")


def test_a_bug_is_a_traceback_and_no_success() -> None:
    code, out, told = run("raise ZeroDivisionError('a bug')")
    assert code == 70
    assert out == ""
    assert told.startswith("Traceback")
    assert told.endswith("ZeroDivisionError: a bug\n")


def test_every_exit_code_is_told_in_help() -> None:
    from schemas import errors

    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.PipelineError)]
    assert {errors.ExitCode.DONE, errors.ExitCode.INTERRUPTED, *(kind.exit_code for kind in kinds)} == {
        *errors.ExitCode
    }
    assert [f"{code:d} {meaning}" for code, meaning in EXIT_MEANINGS.items()] == EXIT_CODES[12:-1].split("; ")
    assert {*EXIT_MEANINGS} == {*errors.ExitCode}


def test_a_thread_that_is_left_holds_nothing_up() -> None:
    assert run("threading.Thread(target=time.sleep, args=(60,)).start(); print('done')") == (0, "done\n", "")


def test_libraries_warnings_are_told_and_beams_are_not() -> None:
    code, out, told = run("""
        logging.getLogger('urllib3').warning('Retrying https://h/b?sig=hunter2')
        logging.getLogger('urllib3').info('no news')
        logging.getLogger('apache_beam.runners').error('a page of it')
    """)
    assert (code, out, told) == (0, "", "WARNING Retrying https://h/b?***\n")


def test_a_child_that_was_left_running_is_ended(tmp_path: Path) -> None:
    code, out, _ = run("""
        import subprocess
        print(subprocess.Popen(['sleep', '60']).pid)
    """)
    assert code == 0
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(int(out), 0)
            import time

            time.sleep(0.02)


def test_errors_of_threads_are_told_until_the_job_is_being_ended() -> None:
    code, out, told = run("""
        from pipelines.running.thread_errors import expect_thread_errors
        def fail(word): raise KeyError(word)
        def thread(word):
            started = threading.Thread(target=fail, args=(word,))
            started.start()
            started.join()
        thread('before')
        expect_thread_errors()
        thread('after')
    """)
    assert (code, out) == (0, "")
    assert told.count("KeyError: 'before'") == 1
    assert "after" not in told


def test_of_an_interrupt_neither_threads_nor_a_runners_own_error_are_told() -> None:
    code, out, told = run(f"""
        import os, signal
        def fail():
            time.sleep(0.3)
            raise KeyError('of a thread')
        threading.Thread(target=fail).start()
        try:
            os.kill(os.getpid(), signal.{signal.SIGINT.name})
            time.sleep(5)
        except KeyboardInterrupt:
            time.sleep(0.5)
            raise RuntimeError('a runner makes another error of it')
    """)
    assert (code, out, told) == (130, "", f"{TOLD}\n")


def test_importing_the_commands_changes_nothing_of_the_process() -> None:
    """Whoever imports a job, as tests and notebooks do, keeps hooks, handlers, filters, memory settings."""
    code = """
import gc, logging, signal, sys, threading
import pyarrow as pa
import apache_beam.coders
def state():
    return (threading.excepthook, sys.unraisablehook, gc.get_threshold(), gc.get_freeze_count(), pa.default_memory_pool().backend_name,
            signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), logging.getLogger().filters[:],
            logging.getLogger().level, logging.getLogger('apache_beam').level, logging.root.manager.disable, threading.active_count())
before = state()
import pipelines.batch, pipelines.streaming, pipelines.keys, pipelines.report, pipelines.collect, pipelines.streams.reader
assert state() == before, (state(), before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
