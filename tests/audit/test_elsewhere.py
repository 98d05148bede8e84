import pytest

from nixsecrets.fleet.layout import MANIFEST
from tests.audit.clean_fleet import OF_HQ, Place

APP = "app/secrets.yaml"


def _declare(place: Place, settings: str) -> None:
    """Declare a value for hq alone, in line 15, and wire it."""
    first = "      nextcloud/admin-password:\n"
    place.edit(str(MANIFEST), first, f"      app: {{ {settings} }}\n{first}")
    place.plan()


def _allow(place: Place, *names: str) -> None:
    readers = "".join(f"      - {place.recipients[name].text}\n" for name in names)
    policy = place.read(".sops.yaml")
    rule = f"  - path_regex: ^app/secrets\\.yaml$\n    age:\n{readers}"
    head, _, rest = policy.partition("creation_rules:\n")
    place.write(".sops.yaml", f"{head}creation_rules:\n{rule}{rest}")


def test_a_value_in_a_document_of_the_people_is_as_good_as_another(place: Place) -> None:
    _allow(place, "ann", "hq")
    place.seal(APP, "token: x\n", "ann", "hq")
    _declare(place, f"file: {APP}, key: token")
    assert place.found() == []


@pytest.mark.parametrize(
    ("readers", "text", "found"),
    [
        pytest.param(
            ("ann",),
            "token: x\n",
            (
                f"error declaration/not-a-reader {MANIFEST}:15: host/hq:app stands in {APP}, "
                "which no rule lets hq read"
            ),
            id="no reader",
        ),
        pytest.param(
            ("ann", "hq"),
            "other: x\n",
            (
                f"error declaration/no-value {MANIFEST}:15: host/hq:app has no value: {APP} has "
                "no such leaf"
            ),
            id="no leaf",
        ),
        pytest.param(
            ("ann", "hq"),
            None,
            (
                f"error declaration/no-value {MANIFEST}:15: host/hq:app is to stand in {APP}, "
                "which does not exist"
            ),
            id="no document",
        ),
    ],
)
def test_what_cannot_arrive_is_told(
    place: Place, readers: tuple[str, ...], text: str | None, found: str
) -> None:
    _allow(place, *readers)
    if text is not None:
        place.seal(APP, text, *readers)
    _declare(place, f"file: {APP}, key: token")
    assert found in place.found()


def test_a_leaf_under_another_name_is_declared(place: Place) -> None:
    place.seal("systems/hq/secrets.yaml", f"{OF_HQ}token: x\n", "ann", "hq")
    _declare(place, "key: token")
    assert place.found() == []


def test_a_file_in_a_home_is_told(place: Place) -> None:
    place.seal("systems/hq/secrets.yaml", f"{OF_HQ}app: x\n", "ann", "hq")
    _declare(place, "path: /home/me/.config/app/token")
    (found,) = place.found()
    assert found == (
        f"warning declaration/path-in-home {MANIFEST}:15: host/hq:app is to stand at "
        "/home/me/.config/app/token, and folders that are missing above it will belong to root"
    )
