from __future__ import annotations

import pytest

from eventflow.sensors.files.globs import Globs


@pytest.mark.parametrize(
    ("patterns", "meant", "not_meant"),
    [
        ("*", ["a", "a.csv", "x/a", "two\nlines", "\udcff"], [".a", ".git/a", "x/.a"]),
        ("*.csv", ["a.csv", "x/y/a.csv", "-rf *.csv"], ["a.CSV", "a.csv.tmp", ".a.csv", "a.csv\n"]),
        (".*", [".a", "x/.a"], ["a", ".git/a"]),
        ([".env", "*.py"], [".env", "a.py"], ["env"]),
        ("data-[0-9]?.csv", ["data-1x.csv"], ["data-x.csv", "data-12"]),
        ("[!a]", ["b"], ["a", ".", "."]),
        ("in/*.csv", ["in/a.csv"], ["a.csv", "in/x/a.csv", "x/in/a.csv"]),
        ("in/**/*.csv", ["in/a.csv", "in/x/y/a.csv"], ["a.csv", "x/in/a.csv", "in/.x/a.csv"]),
        ("**/in/*", ["in/a", "x/y/in/a"], ["in/x/a", "a"]),
        (".git/*", [".git/a"], ["git/a", ".git/.a"]),
    ],
)
def test_patterns_mean_what_they_mean_in_a_shell(patterns: str | list[str], meant: list[str], not_meant: list[str]) -> None:
    globs = Globs(patterns)

    def match(path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return globs.names_in(folder)(name)

    assert [path for path in [*meant, *not_meant] if match(path)] == meant


def test_hidden_folders_are_entered_only_where_a_pattern_names_one() -> None:
    assert Globs("*").enter("x/y")
    assert not Globs(["*", ".*", "a/*"]).enter("x/.git")
    assert Globs(".git/*").enter(".git")
    assert not Globs(".git/*").enter(".cache")


def test_a_pattern_with_a_slash_reaches_below() -> None:
    assert Globs(["*", "a/*"]).reach_below
    assert not Globs(["*", ".*"]).reach_below


@pytest.mark.parametrize("pattern", ["", "/a", "a/", "a//b", "../a", "./a", "a/**", "**", "\0"])
def test_a_pattern_that_can_never_match_is_an_error(pattern: str) -> None:
    with pytest.raises(ValueError, match="can't match a file"):
        Globs(pattern)
