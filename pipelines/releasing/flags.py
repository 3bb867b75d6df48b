"""The flags of what is published under which privacy."""

import argparse
import re
from datetime import timedelta

from pipelines.options.flags import JobParser, duration

EPSILON = 1.0
CLOSED_AFTER = timedelta(hours=25)
"""The default lookback (24 h), in which late rows still land by themselves, and the time until suggestions close."""

_NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")


def epsilon(text: str) -> float | None:
    """A number above 0, at most 20; None for `none` and 0: exact figures. argparse tells what is allowed otherwise."""
    value = 0.0 if text == "none" else float(text) if _NUMBER.fullmatch(text) else -1.0
    if value < 0 or value > 20 or 0 < value < 0.01:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed are numbers from 0.01 to 20, and none for exact figures")
    return value or None


def add_privacy(parser: JobParser) -> None:
    """`privacy_epsilon`, `closed_after` and `revise`."""
    parser.add_argument("--privacy_epsilon", type=epsilon, default=EPSILON, metavar="E",
                        help="How much a day's figures may tell about any one installation (differential privacy): "
                        "less is more private and has more noise. `none`: exact figures, for a closed team that may "
                        f"see rows of people anyway. Default: {EPSILON:g}.")  # fmt: skip
    parser.add_argument("--closed_after", type=duration, default=CLOSED_AFTER, metavar="TIME",
                        help="A day is published so long after its end (UTC), once, when nothing more is to land in "
                        "it. At least the --lookback and --suggestion_horizon of your runs. Default: 25h.")  # fmt: skip
    parser.add_argument("--revise", action="store_true",
                        help="Publish the days of --date again, though they were published. Who has both publications "
                        "knows more: the epsilons of a day add up, and the file tells their sum.")  # fmt: skip
