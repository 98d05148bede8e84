from collections.abc import Callable

import pytest

from tests.audit.clean_fleet import OF_HQ, SHARED, Place

HQ = "systems/hq/secrets.yaml"
PEOPLES = "^vault/"


def _with_rule(place: Place, pattern: str) -> None:
    """Put a rule of the people's, read by ann, behind all others."""
    rule = f"  - path_regex: {pattern}\n    age: {place.recipients['ann'].text}\n"
    place.write(".sops.yaml", place.read(".sops.yaml") + rule)


def _in_clear(place: Place) -> None:
    place.write(HQ, OF_HQ)


def _in_clear_and_new(place: Place) -> None:
    place.remove(HQ)
    place.write(HQ, OF_HQ, track=False)


def _in_clear_by_rule(place: Place) -> None:
    _with_rule(place, PEOPLES)
    place.write("vault/x.env", "TOKEN=1\n")
    place.write("vault/README.md", "a text\n")
    place.write("vault/default.nix", "{ }\n")
    place.write("vault/.gitignore", "*.log\n")


def _never_meant(place: Place) -> None:
    _with_rule(place, "\\.(yaml|yml|txt)$")
    place.write("ci/steps.yml", "steps: []\n")
    place.write("notes.txt", "about lastmodified and sops\n")


def _truncated(place: Place) -> None:
    text = place.read(HQ)
    place.write(HQ, text[: text.index("lastmodified")] + '"')


def _without_metadata(place: Place) -> None:
    text = place.read(HQ)
    place.write(HQ, text[: text.index("sops:")])


def _without_mac(place: Place) -> None:
    lines = place.read(HQ).splitlines(keepends=True)
    place.write(HQ, "".join(line for line in lines if not line.strip().startswith("mac:")))


def _clear_leaf(place: Place) -> None:
    place.write(HQ, "nextcloud-url: https://example.org\n" + place.read(HQ))
    place.edit("nixsecrets.yaml", "      spare:", "      nextcloud-url:\n      spare:")
    place.plan()


def _cut_leaf(place: Place) -> None:
    text = place.read(HQ)
    place.write(HQ, text.replace("type:str]", "type:s", 1))


def _clear_by_own_rule(place: Place) -> None:
    place.seal(HQ, f"{OF_HQ}port_unencrypted: x\nurl_unencrypted: y\n", "ann", "hq")
    place.edit("nixsecrets.yaml", "      spare:", "      port_unencrypted:\n      spare:")
    place.edit("nixsecrets.yaml", "      spare:", "      url_unencrypted:\n      spare:")
    place.plan()


def _empty(place: Place) -> None:
    place.seal(HQ, "nextcloud:\n  admin-password: ''\nspare: three\nlist: ['']\n", "ann", "hq")


def _ambiguous_keys(place: Place) -> None:
    place.seal(HQ, f"{OF_HQ}on: x\nflags:\n  yes: x\n", "ann", "hq")
    place.write(HQ, place.read(HQ).replace('"on"', "on").replace('"yes"', "yes"))


def _other_format(place: Place) -> None:
    _with_rule(place, PEOPLES)
    place.write("vault/x.env", "TOKEN=ENC[AES256_GCM,\nsops_lastmodified=2026\n")


@pytest.mark.parametrize(
    ("break_it", "findings"),
    [
        pytest.param(
            _in_clear,
            [
                (
                    f"error document/not-encrypted {HQ}: stands in clear, though the rule "
                    r"^systems/hq/secrets\.yaml$ says that it is a document; git has its values "
                    "already, so replace them too"
                )
            ],
            id="a document of the manifest in clear",
        ),
        pytest.param(
            _in_clear_and_new,
            [
                (
                    f"error document/not-encrypted {HQ}: stands in clear, though the rule "
                    r"^systems/hq/secrets\.yaml$ says that it is a document"
                ),
                (
                    f"error document/untracked {HQ}: git does not track it, so that the flake does "
                    "not see it for hq"
                ),
            ],
            id="one that git has not seen",
        ),
        pytest.param(
            _in_clear_by_rule,
            [
                (
                    "error document/not-encrypted vault/x.env: stands in clear, though the rule "
                    "^vault/ says that it is a document; git has its values already, so replace "
                    "them too"
                )
            ],
            id="a document of the people's rule in clear, and what is none",
        ),
        pytest.param(
            _without_metadata,
            [
                (
                    f"error document/unreadable {HQ}: holds sealed values and no sops metadata: it "
                    "was cut off"
                )
            ],
            id="sealed leaves without metadata",
        ),
        pytest.param(
            _without_mac,
            [
                (
                    f"error document/unreadable {HQ}: `mac` is missing in the sops metadata: it "
                    "was cut off"
                )
            ],
            id="no MAC",
        ),
        pytest.param(
            _clear_leaf,
            [
                (
                    f"error document/clear-leaf {HQ}:1: nextcloud-url stands in clear or damaged, "
                    "though the document's own rule says that it is encrypted; nothing opens the "
                    "document like this"
                )
            ],
            id="a leaf added by hand",
        ),
        pytest.param(
            _cut_leaf,
            [
                (
                    f"error document/clear-leaf {HQ}:2: nextcloud/admin-password stands in clear "
                    "or damaged, though the document's own rule says that it is encrypted; nothing "
                    "opens the document like this"
                )
            ],
            id="a leaf cut short",
        ),
        pytest.param(
            _clear_by_own_rule,
            [
                (
                    f"warning document/leaf-in-clear {HQ}:4: port_unencrypted and url_unencrypted "
                    "stand in clear by the document's own rule"
                )
            ],
            id="leaves in clear by rule",
        ),
        pytest.param(
            _ambiguous_keys,
            [
                (
                    f"error document/key-not-a-string {HQ}:6: this mapping key is no string for "
                    "sops-nix, which reads YAML 1.1, and stops at it"
                ),
                (
                    f"warning declaration/undeclared {HQ}:4: on and flags/yes are not declared, so "
                    "that no host is given them"
                ),
            ],
            id="a mapping key that YAML 1.1 takes for a truth value",
        ),
        pytest.param(
            _empty,
            [
                (
                    f"warning document/empty-value {HQ}:2: nextcloud/admin-password is empty, and "
                    "an empty value is never encrypted"
                ),
                (
                    f'warning document/empty-value {HQ}:4: ["list"][0] is empty, and an empty '
                    "value is never encrypted"
                ),
            ],
            id="empty values",
        ),
        pytest.param(
            _other_format,
            [
                (
                    "error document/unreadable vault/x.env: `mac` is missing in the sops metadata: "
                    "it was cut off"
                )
            ],
            id="another format",
        ),
        pytest.param(
            _never_meant,
            [],
            id="what only a catch-all matches, or none can have meant",
        ),
    ],
)
def test_documents(place: Place, break_it: Callable[[Place], None], findings: list[str]) -> None:
    break_it(place)
    assert [one for one in place.found() if " policy/" not in one] == findings


def test_a_truncated_document_is_told_with_its_line(place: Place) -> None:
    _truncated(place)
    (found,) = place.check()
    assert found.rule == "document/unreadable"
    assert found.place.startswith(f"{HQ}:")
    assert "git log -p" in (found.remedy or "")


@pytest.mark.parametrize(
    ("break_it", "remedy"),
    [
        (_in_clear, f"sops encrypt --in-place {HQ}"),
        (_clear_leaf, "take the line out, then nixsecrets set host/hq:nextcloud-url"),
        (_empty, "nixsecrets set host/hq:nextcloud/admin-password"),
    ],
)
def test_remedies(place: Place, break_it: Callable[[Place], None], remedy: str) -> None:
    break_it(place)
    assert place.check()[0].remedy == remedy


def test_values_are_never_in_a_finding(place: Place) -> None:
    place.write(HQ, f"marker: in-clear-Tr0ub4dor\n{place.read(HQ)}")
    place.write("shared/secrets.yaml", SHARED + "x: in-clear-Tr0ub4dor\n")
    assert all("Tr0ub4dor" not in str(one) for one in place.check())
