import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.errors import ExitStatus, RepositoryError
from nixsecrets.fleet.names import (
    SecretName,
    clashes,
    nearest,
    parse_group_name,
    parse_host_name,
    parse_person_name,
    parse_secret_name,
    parse_user_name,
)

_TEXT = st.text("ab-._1", min_size=1, max_size=4).filter(lambda text: text[0] in "ab_1")
_SECRET = st.lists(_TEXT | st.just("sops"), min_size=1, max_size=8).map("/".join)


@pytest.mark.parametrize("name", ["hq", "7zip", "build01.ofborg.org", "a" * 63, "x_y-z", "sops"])
def test_takes_flat_names(name: str) -> None:
    parsers = (parse_host_name, parse_group_name, parse_person_name, parse_user_name)
    assert [parse(name) for parse in parsers] == [name] * 4


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "-x", "_x", "a/b", "a b", "hq\n", "é", "a" * 64, "all", "shared", "bak", "a:b"],
)
def test_refuses_what_is_no_flat_name(name: str) -> None:
    for parse in (parse_host_name, parse_group_name, parse_person_name, parse_user_name):
        with pytest.raises(RepositoryError) as caught:
            parse(name)
        assert caught.value.status is ExitStatus.REPOSITORY
        assert caught.value.hint


@pytest.mark.parametrize(
    "name",
    ["a", "_x", "nextcloud/admin-password", "a/sops", "a/rendered", "1/2/3/4/5/6/7/8", "a" * 128],
)
def test_takes_secret_names(name: str) -> None:
    assert parse_secret_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "/", "a/", "/a", "a//b", "a/../b", "a/.b", "-a", "a:b", "a b", "a\n", "a\\b", "ü"],
)
def test_refuses_what_is_no_secret_name(name: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_secret_name(name)
    assert caught.value.hint


@pytest.mark.parametrize(
    "name", ["sops", "sops/x", "rendered", "rendered/x", "1/2/3/4/5/6/7/8/9", "a" * 129]
)
def test_refuses_secret_names_with_a_meaning_of_their_own_or_too_long(name: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_secret_name(name)
    assert caught.value.hint


@given(_SECRET)
def test_every_spelling_of_the_grammar_is_a_secret_name(name: str) -> None:
    if name.split("/", maxsplit=1)[0] in {"sops", "rendered"}:
        with pytest.raises(RepositoryError):
            parse_secret_name(name)
    else:
        assert parse_secret_name(name) == name


@given(st.text(max_size=40))
def test_a_secret_name_never_leaves_its_folder(text: str) -> None:
    try:
        name = parse_secret_name(text)
    except RepositoryError:
        return
    assert not {"", ".", ".."} & set(name.split("/"))
    assert name.isascii()
    assert name.isprintable()


def test_near_names_come_best_first() -> None:
    assert nearest("t15", ["hq", "t460", "t15g"]) == ("t15g",)
    assert nearest("nowhere", ["hq"]) == ()


def test_a_name_above_another_clashes_at_any_depth() -> None:
    names = [SecretName(name) for name in ("a/b/c", "a", "ab", "x/y", "x/z")]
    assert clashes(names) == (("a", "a/b/c"),)


@given(st.lists(_SECRET, max_size=12))
def test_names_without_clashes_make_one_tree(texts: list[str]) -> None:
    names = [SecretName(text) for text in texts]
    tree: dict[str, object] = {}
    fits = True
    for name in dict.fromkeys(names):
        *above, leaf = name.split("/")
        node = tree
        for component in above:
            below = node.setdefault(component, {})
            if not isinstance(below, dict):
                fits = False
                break
            node = below
        else:
            fits = fits and leaf not in node
            node.setdefault(leaf, "")
    assert fits == (not clashes(names))
