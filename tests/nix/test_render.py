from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nixsecrets.errors import RepositoryError
from nixsecrets.nix.render import (
    parse_option_path,
    render_attribute,
    render_list,
    render_option_path,
    render_path,
    render_string,
)
from tests.nix.real import assert_parses, evaluate

AWKWARD = [
    "",
    "plain",
    '"quoted"',
    "back\\slash",
    "${x}",
    "$${x}",
    "$$${x}",
    "\\${x}",
    "$",
    "a$",
    "$$",
    "{x}",
    "$6$salt$hash.",
    "a\nb\r\nc\td",
    "''${x}''",
    "# no comment",
    "ä ☃ 🦝",
]


def test_strings_mean_what_they_were(tmp_path: Path) -> None:
    rendered = "".join(f"{render_string(text)} " for text in AWKWARD)

    assert evaluate(f"[ {rendered}]", tmp_path) == AWKWARD


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"))
        | st.text(alphabet="${}\\\"\n\r\t' a"),
        min_size=20,
    )
)
def test_any_string_means_what_it_was(tmp_path: Path, texts: list[str]) -> None:
    rendered = "".join(f"{render_string(text)} " for text in texts)

    assert evaluate(f"[ {rendered}]", tmp_path) == texts


def test_a_nul_is_refused() -> None:
    with pytest.raises(RepositoryError, match="NUL"):
        render_string("a\0b")


def test_attribute_names_are_quoted_always() -> None:
    assert render_attribute("plain") == '"plain"'
    assert render_attribute("a/${b}") == '"a/\\${b}"'


@pytest.mark.parametrize(
    ("path", "rendered"),
    [
        ("users.users.miscguy.hashedPasswordFile", "users.users.miscguy.hashedPasswordFile"),
        ('services.nginx."my site".x', 'services.nginx."my site".x'),
        ('services.nginx."a.b".x\'', 'services.nginx."a.b".x\''),
        ('a."plain"', "a.plain"),
        ("a.if.or.then", 'a."if"."or"."then"'),
        ("a.1.b-c", 'a."1".b-c'),
        ("units.foo@bar", 'units."foo@bar"'),
        (r'a."\"\\\${x}"', r'a."\"\\\${x}"'),
    ],
)
def test_option_paths_are_quoted_where_nix_needs_it(path: str, rendered: str) -> None:
    assert render_option_path(path) == rendered
    assert_parses(f"{{ {rendered} = 1; }}".encode())


@pytest.mark.parametrize(
    "path",
    ["", ".", "a.", ".a", "a..b", 'a."b', 'a."b"c', "a b", "a = 1; b", "a.${b}", 'a."${b}"', "ä"],
)
def test_malformed_option_paths_are_refused(path: str) -> None:
    with pytest.raises(RepositoryError, match="no option path"):
        render_option_path(path)


def test_components_of_an_option_path_are_its_names() -> None:
    assert parse_option_path(r'a."b.c"."d\"e"."f\tg\n"') == ("a", "b.c", 'd"e', "f\tg\n")


@pytest.mark.parametrize(
    ("relative", "rendered"),
    [
        ("./secrets.yaml", "./secrets.yaml"),
        ("secrets.yaml", "./secrets.yaml"),
        ("../../shared/secrets.yaml", "../../shared/secrets.yaml"),
        ("./a/../b.yaml", "./b.yaml"),
        ("a_b+c-d/1.2", "./a_b+c-d/1.2"),
        (".", "./."),
        ("..", "../."),
        ("../..", "../.."),
        ("./a b.yaml", './. + "/a b.yaml"'),
        ("../x/ä@.yaml", '../. + "/x/ä@.yaml"'),
        ("../../~/${a}.yaml", '../../. + "/~/\\${a}.yaml"'),
    ],
)
def test_paths_lead_where_they_should(tmp_path: Path, relative: str, rendered: str) -> None:
    nested = tmp_path / "one" / "two" / "three"
    nested.mkdir(parents=True)
    (nested / "here.nix").write_text(f"toString ({rendered})")

    assert render_path(relative) == rendered
    reached = evaluate(f"import {nested}/here.nix", tmp_path)
    assert reached == str((nested / relative).resolve())


@pytest.mark.parametrize("path", ["", "/etc/x"])
def test_paths_that_are_not_relative_are_refused(path: str) -> None:
    with pytest.raises(RepositoryError, match="no relative path"):
        render_path(path)


def test_a_list_of_several_has_a_line_for_each() -> None:
    assert render_list([]) == "[ ]"
    assert render_list(["x"], indent=4) == '[ "x" ]'
    assert render_list(["x", "y"], indent=4) == '[\n      "x"\n      "y"\n    ]'
