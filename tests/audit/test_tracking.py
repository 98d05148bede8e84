import pytest

from tests.audit.clean_fleet import Place

BLIND = "so that the flake does not see it for"


def _untrack(place: Place, path: str) -> None:
    place.git("rm", "--quiet", "--cached", "--", path)


@pytest.mark.parametrize(
    ("path", "hosts"),
    [
        ("systems/hq/secrets.yaml", "hq"),
        ("systems/hq/secrets.nix", "hq"),
        ("systems/hq/configuration.nix", "hq"),
        ("shared/secrets.yaml", "hq and t15g"),
        ("shared/base.nix", "hq and t15g"),
        ("flake.nix", "hq and t15g"),
        ("flake.lock", "hq and t15g"),
    ],
)
def test_what_a_flake_host_needs_is_tracked(place: Place, path: str, hosts: str) -> None:
    _untrack(place, path)
    (found,) = place.check()
    assert (found.rule, found.place) == ("document/untracked", path)
    assert found.words == f"git does not track it, {BLIND} {hosts}"
    assert found.remedy == f"git add {path}"


@pytest.mark.parametrize("path", ["systems/hq/secrets.yaml", "shared/base.nix"])
def test_an_ignored_file_is_told_with_the_line_to_look_for(place: Place, path: str) -> None:
    _untrack(place, path)
    place.write(".gitignore", f"{path}\n")
    (found,) = place.check()
    assert (found.rule, found.place) == ("document/ignored", path)
    assert found.words.startswith(f"git ignores it, {BLIND} hq")
    assert found.remedy == f"git check-ignore -v {path} shows the line to take out"


def test_modules_that_modules_import_are_followed(place: Place) -> None:
    place.write("shared/base.nix", "{ imports = [ ./more ]; }\n")
    place.write("shared/more/default.nix", "{ imports = [ ./far.nix ../base.nix ]; }\n")
    place.write("shared/more/far.nix", "{ }\n", track=False)
    place.write("shared/more/unused.nix", "{ }\n", track=False)
    assert [one.place for one in place.check()] == ["shared/more/far.nix"]


def test_computed_paths_and_those_outside_are_not_guessed(place: Place) -> None:
    place.write("shared/base.nix", "{ imports = [ ./${x}.nix /etc/x.nix ../../x.nix <x> ]; }\n")
    assert place.found() == []


def test_a_host_that_is_built_without_a_flake_needs_no_git(place: Place) -> None:
    for path in ("systems/vm01/secrets.nix", "systems/vm01/configuration.nix"):
        _untrack(place, path)
    assert place.found() == []


def test_a_name_with_blanks_is_quoted_in_the_remedy(place: Place) -> None:
    place.write("shared/base.nix", '{ imports = [ (./. + "/x") ./a+b.nix ]; }\n')
    place.write("shared/a+b.nix", "{ }\n", track=False)
    (found,) = place.check()
    assert found.remedy == "git add shared/a+b.nix"
