"""Paths of three systems with names of all kinds: of a person's folders nothing stays, and addresses of the web do."""

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transforms.core.protecting.scrub import CODE, ERRORS, scrub_text

NAME = st.builds(
    "{}{}{}".format,
    st.sampled_from("AZazéß王"),
    st.text(alphabet="abXY09_.-é", min_size=2, max_size=10),
    st.sampled_from("az09"),
).filter(lambda s: ".." not in s)
FILE = st.sampled_from(["a.py", "main.go", "x.test.ts", "Makefile", "архив.txt"])
POSIX = st.tuples(
    st.sampled_from(["/home", "/Users", "/srv/www", "/mnt/c/Users", "/private/var"]),
    st.lists(NAME, min_size=1, max_size=4),
    FILE,
).map(lambda p: "/".join([p[0], *p[1], p[2]]))
WINDOWS = st.tuples(
    st.sampled_from("CDZ"), st.lists(NAME, min_size=1, max_size=4), FILE, st.sampled_from(["\\", "\\\\", "/"])
).map(lambda p: p[3].join([f"{p[0]}:", *p[1], p[2]]))
SHARE = st.tuples(NAME, st.lists(NAME, min_size=1, max_size=3), FILE).map(
    lambda p: "\\\\" + "\\".join([p[0], *p[1], p[2]])
)
EDITOR = st.tuples(
    st.sampled_from(["file:///", "vscode-remote://ssh-remote+box/", "vscode-userdata:///", "webpack:///"]), POSIX
).map(lambda p: p[0] + p[1][1:])
AROUND = [
    "{}",
    "at {}:10:5",
    "at f ({}:10:5)",
    "cannot open '{}'",
    'no such file: "{}"',
    "\n    {}\n",
    "[{}]",
    "read {}, then stop",
]


def scrubbed(text: str) -> str:
    return scrub_text(text, ERRORS, Counter())


@example("/home/o'brien/a.py", "{}")
@given(POSIX | WINDOWS | SHARE | EDITOR, st.sampled_from(AROUND))
def test_nothing_of_a_path_stays(path: str, around: str) -> None:
    out = scrubbed(around.format(path))
    assert out == around.format("<REDACTED:path>"), (path, out)


@given(
    POSIX, st.sampled_from(["left-pad", "@types/node", "lodash.merge"]), st.sampled_from(["/lib/x.js", "/index.js", ""])
)
def test_of_a_package_its_own_part_stays(path: str, package: str, rest: str) -> None:
    kept = f"node_modules/{package}{rest}"
    assert scrubbed(f"at {path}/{kept}:3:1") == f"at <REDACTED:path>/{kept}:3:1"


@given(POSIX, NAME)
def test_a_folder_that_only_looks_like_a_package_goes(path: str, name: str) -> None:
    capital = name[:1].upper() + name[1:] + "X"
    assert capital not in scrubbed(f"{path}/node_modules/{capital}/a.js")
    assert name not in scrubbed(f"{path}/extensions/{name}/a.js") or len(name) < 3


@given(NAME.filter(str.isascii), st.sampled_from(["https", "http", "wss", "ftp"]))
def test_addresses_of_the_web_stay(name: str, scheme: str) -> None:
    text = f"see {scheme}://example.com/{name}/b?c=d for more"
    assert scrubbed(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a / b",
        "s/a/b/g",
        "and/or",
        "</div>",
        "// comment",
        "/* x */",
        "x /= 2",
        "/",
        "n/a",
        "text/html",
        "1/2",
        "#!/bin/sh",
        "~5 minutes",
    ],
)
def test_what_is_no_path_stays(text: str) -> None:
    assert scrubbed(text) == text


@given(POSIX | WINDOWS)
def test_code_keeps_paths(path: str) -> None:
    assert scrub_text(f"open('{path}')", CODE, Counter()).count("<REDACTED:path>") == 0


@given(POSIX)
def test_a_mark_before_a_path_is_kept_with_what_may_stay(path: str) -> None:
    once = scrubbed(f"at {path}/node_modules/left-pad/index.js")
    assert scrubbed(once) == once
