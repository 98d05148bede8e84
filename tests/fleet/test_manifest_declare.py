"""A declaration is added in the style of what stands beside it, and nothing else changes."""

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.generator import Password
from nixsecrets.fleet.insertion import Map, Typed
from nixsecrets.fleet.manifest_declare import add_declaration, add_template
from nixsecrets.fleet.model import Admins, Declaration, OnHost, Scope, Shared, Template
from nixsecrets.fleet.names import HostName, SecretName
from nixsecrets.fleet.templates import Placeholder

HQ = OnHost(HostName("hq"))
HOSTS = "version: 1\nhosts:\n  hq: {}\n  t460: {}\n"
FIELDS = Map((("generator", Map((("password", Map((("length", Typed("20")),))),))),), block=True)
LINES = "generator: { password: { length: 20 } }\n"


def declared(scope: Scope, name: str = "a/b") -> Declaration:
    deliver = not isinstance(scope, Admins)
    return Declaration(SecretName(name), scope, deliver=deliver, generator=Password(20))


@pytest.mark.parametrize(
    ("before", "scope", "after"),
    [
        pytest.param(
            HOSTS,
            HQ,
            f"{HOSTS}secrets:\n  hosts:\n    hq:\n      a/b:\n        {LINES}",
            id="nothing there",
        ),
        pytest.param(
            f"{HOSTS}secrets:\n",
            Admins(),
            f"{HOSTS}secrets:\n  admins:\n    a/b:\n      {LINES}",
            id="an empty section",
        ),
        pytest.param(
            f"{HOSTS}secrets:\n  shared: # ours\n    x: # one\n      # of x\n",
            Shared(),
            f"{HOSTS}secrets:\n  shared: # ours\n    x: # one\n      # of x\n"
            f"    a/b:\n      {LINES}",
            id="comments stay",
        ),
        pytest.param(
            "version: 1\nhosts:\n    hq: {}\nsecrets:\n    shared: {}\n",
            HQ,
            "version: 1\nhosts:\n    hq: {}\nsecrets:\n    shared: {}\n    hosts:\n"
            f"        hq:\n            a/b:\n                {LINES}",
            id="the step is theirs",
        ),
        pytest.param(
            f"{HOSTS}secrets: {{ shared: {{ x: {{ }} }} }}\n",
            Shared(),
            f"{HOSTS}secrets: {{ shared: {{ x: {{ }}, a/b: {{ generator: {{ password: "
            "{ length: 20 } } } } }\n",
            id="in braces",
        ),
        pytest.param(
            f"{HOSTS}secrets:\n  shared:\n    x:\n".replace("\n", "\r\n"),
            Shared(),
            f"{HOSTS}secrets:\n  shared:\n    x:\n    a/b:\n      {LINES}".replace("\n", "\r\n"),
            id="its line ends",
        ),
    ],
)
def test_a_declaration_is_the_last_of_its_scope(before: str, scope: Scope, after: str) -> None:
    assert add_declaration(before.encode(), declared(scope), FIELDS).decode() == after


def test_a_template_has_a_section_of_its_own() -> None:
    before = f"{HOSTS}secrets:\n  shared: {{ x: {{ }} }}\nevaluate: never\n"
    template = Template("x.env", HQ, (Placeholder(SecretName("x")), "\n"))
    after = add_template(before.encode(), template, Map((("content", "{{ x }}\n"),), block=True))
    assert after.decode() == before.replace(
        "evaluate",
        'templates:\n  hosts:\n    hq:\n      x.env:\n        content: "{{ x }}\\n"\nevaluate',
    )


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (f"{HOSTS}secrets:\n  shared: {{ a: {{ }} }}\n", "would be wrong with a/b"),
        (f"{HOSTS}secrets:\n  hosts: {{ hq: {{ a/b: {{ }} }} }}\n", "would be wrong with a/b"),
    ],
)
def test_what_cannot_stand_there_is_refused(before: str, words: str) -> None:
    with pytest.raises(RepositoryError, match=words):
        add_declaration(before.encode(), declared(Shared()), FIELDS)


def test_fields_that_say_something_else_are_refused() -> None:
    with pytest.raises(RepositoryError, match="takes no edit") as raised:
        add_declaration(HOSTS.encode(), declared(Shared()), Map((("generator", "hex"),)))
    assert raised.value.hint == "under `secrets.shared` write `a/b: { generator: hex }` by hand"
