"""Declarations and templates: what is read, and what is refused before anything is built."""

from pathlib import PurePosixPath

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.manifest import parse_manifest
from nixsecrets.fleet.model import Declaration, InGroup, OnHost, Shared, Template
from nixsecrets.fleet.names import GroupName, HostName, SecretName
from nixsecrets.fleet.templates import Placeholder

_FLEET = "version: 1\nhosts: { hq: , t15g: }\ngroups: { both: { hosts: [hq, t15g] } }\n"


def shared(*lines: str) -> str:
    """Return a manifest whose declarations for every host begin on line 6, column 5."""
    return _FLEET + "secrets:\n  shared:\n" + "".join(f"    {line}\n" for line in lines)


def filled(secrets: str, template: str) -> str:
    """Return a manifest with templates; the one of `hq` begins on line 7, column 5."""
    return _FLEET + f"secrets: {secrets}\ntemplates:\n  hosts:\n    {template}\n"


def a_template(settings: str) -> str:
    return filled("{ shared: { a: } }", f"hq: {{ x.env: {{ {settings} }} }}")


OUTERMOST = "below another mapping key, and sops-nix reads only the outermost ones of JSON"
BELOW = "and a value cannot have others below it"
BAD = {
    "numeric owner": (
        shared('a: { owner: "224" }'),
        "6:17: '224' is a number",
        "give the account's name",
    ),
    "numeric group": (
        shared('a: { group: "100" }'),
        "6:17: '100' is a number",
        "give the account's name",
    ),
    "owner without text": (
        shared("a: { owner: }"),
        "6:10: 'owner' must be a string",
        "write it in double quotes",
    ),
    "owner of two lines": (
        shared('a: { owner: "x\\ny" }'),
        "6:17: 'owner' must be one line of text",
        None,
    ),
    "owner before users": (
        shared("a: { owner: me, needed-for-users: true }"),
        "6:10: 'owner' beside 'needed-for-users': there are no users yet, root owns the file",
        "take one of the two out",
    ),
    "group before users": (
        shared("a: { group: me, needed-for-users: true }"),
        "6:10: 'group' beside 'needed-for-users': there are no users yet, root owns the file",
        "take one of the two out",
    ),
    "flag as a word": (
        shared("a: { needed-for-users: on }"),
        "6:28: 'needed-for-users' must be true or false",
        None,
    ),
    "mode as a number": (
        shared("a: { mode: 0400 }"),
        "6:16: 'mode' must be a string",
        "write it in double quotes",
    ),
    "mode that is not octal": (
        shared('a: { mode: "u=r" }'),
        "6:16: the mode 'u=r' is not octal",
        'write it like "0400"',
    ),
    "unit without a type": (
        shared("a: { restart-units: [nginx] }"),
        "6:26: the unit 'nginx' has no type",
        "write it like nginx.service",
    ),
    "reloaded unit without a type": (
        shared("a: { reload-units: [nginx.conf] }"),
        "6:25: the unit 'nginx.conf' has no type",
        "write it like nginx.conf.service",
    ),
    "path relative": (
        shared("a: { path: etc/x }"),
        "6:16: 'etc/x' is no absolute path",
        "it is a path on the host",
    ),
    "path upwards": (
        shared("a: { path: /etc/../x }"),
        "6:16: '/etc/../x' is no absolute path",
        "it is a path on the host",
    ),
    "path of a folder": (
        shared("a: { path: /etc/x/ }"),
        "6:16: '/etc/x/' is no path of a file",
        "name the file too",
    ),
    "path where sops-nix is": (
        shared("a: { path: /run/secrets/b }"),
        "6:16: nothing else can stand at '/run/secrets/b'",
        "leave 'path' out, or name a place outside",
    ),
    "path in the store": (
        shared("a: { path: /nix/store/b }"),
        "6:16: nothing else can stand at '/nix/store/b'",
        "leave 'path' out, or name a place outside",
    ),
    "one path of two": (
        shared("a: { path: /etc/x }", "b: { path: /etc/x }"),
        "7:5: shared:b and shared:a of line 6 both are to stand at /etc/x",
        "change one `path`",
    ),
    "name below another": (
        shared("a: {}", "a/b: {}"),
        f"7:5: shared:a/b and shared:a of line 6 reach one host, {BELOW}",
        "give one of them another name",
    ),
    "name with an empty component": (
        shared("a//b: {}"),
        "6:5: 'a//b' is no name of a secret",
        "use letters, digits, '.', '_' and '-', with '/' between components",
    ),
    "name in the folder of templates": (
        shared("rendered/a: {}"),
        "6:5: the secret name 'rendered/a' begins with 'rendered', which sops keeps for itself",
        "choose another first component",
    ),
    "key with an empty component": (
        shared("a: { key: x//y }"),
        "6:15: 'x//y' is no key path",
        "write the mapping keys with '/' between them",
    ),
    "key in sops' own block": (
        shared("a: { key: sops/mac }"),
        "6:15: 'sops/mac' begins with 'sops', which sops keeps for itself",
        None,
    ),
    "key below another's": (
        shared("a: { key: x }", "b: { key: x/y }"),
        f"7:5: shared:b and shared:a of line 6 both stand in shared/secrets.yaml, {BELOW}",
        "give one of them another 'key'",
    ),
    "key above another's": (
        shared("a: { key: x/y }", "b: { key: x }"),
        f"7:5: shared:b and shared:a of line 6 both stand in shared/secrets.yaml, {BELOW}",
        "give one of them another 'key'",
    ),
    "key of a whole document": (
        shared("a: { key: x, whole-file: true }"),
        "6:10: 'key' beside 'whole-file': the value is all that the document holds",
        "take one of the two out",
    ),
    "one value of dotenv": (
        shared("a: { file: x.env }"),
        "6:5: shared:a stands in x.env, which sops-nix delivers whole: it is dotenv",
        "say `whole-file: true`, or keep the value in a YAML document",
    ),
    "one value of INI": (
        shared("a: { file: x.ini, key: s/a }"),
        "6:5: shared:a stands in x.ini, which sops-nix delivers whole: it is ini",
        "say `whole-file: true`, or keep the value in a YAML document",
    ),
    "one value of a binary": (
        shared("a: { file: x.pfx }"),
        "6:5: shared:a stands in x.pfx, which sops-nix delivers whole: it is binary",
        "say `whole-file: true`, or keep the value in a YAML document",
    ),
    "nested JSON": (
        shared("a/b: { file: x.json }"),
        f"6:5: shared:a/b stands in x.json {OUTERMOST}",
        "say `key: NAME`, or keep the value in a YAML document",
    ),
    "nested JSON of the layout": (
        "version: 1\nlayout: { shared-document: s.json }\nsecrets: { shared: { a/b: } }\n",
        f"3:22: shared:a/b stands in s.json {OUTERMOST}",
        "say `key: NAME`, or keep the value in a YAML document",
    ),
    "generator of a whole document": (
        shared("a: { file: x.env, whole-file: true, generator: hex }"),
        "6:5: shared:a is all of x.env, and no generator makes a whole dotenv document",
        "leave 'generator' out, and write it with `nixsecrets edit x.env`",
    ),
    "manifest as a document": (
        shared("a: { file: nixsecrets.yaml }"),
        "6:5: nixsecrets.yaml is no document",
        "name the encrypted file with 'file'",
    ),
    "document elsewhere": (
        shared("a: { file: ../x.yaml }"),
        "6:16: '../x.yaml' is no plain path below the repository's root",
        "write it without '.', '..', '.git' and doubled or trailing slashes",
    ),
    "document of values per host": (
        _FLEET + "secrets: { each: { all: { a: { file: x.yaml } } } }\n",
        "4:32: 'file' stands here, which is one document for values of several hosts",
        "take it out",
    ),
    "owner at home": (
        _FLEET + "secrets: { home: { me: { a: { hosts: [hq], owner: x } } } }\n",
        "4:44: 'owner' stands here, which sops-nix has not in Home Manager",
        "take it out",
    ),
    "delivery to admins": (
        _FLEET + "secrets: { admins: { a: { mode: '0400' } } }\n",
        "4:27: 'mode' stands here, which is of no use: it is delivered nowhere",
        "take it out",
    ),
    "age without a unit": (
        shared('a: { max-age: "365" }'),
        "6:19: '365' is no number of days",
        "write it like 365d",
    ),
    "rotation that is empty": (
        shared('a: { rotation: " " }'),
        "6:20: 'rotation' holds no text",
        None,
    ),
    "key that is none": (
        shared("a: { restartUnits: [x.service] }"),
        "6:10: unknown manifest key 'restartUnits' in a declaration",
        "did you mean restart-units?",
    ),
    "template without content": (
        a_template("owner: me"),
        "7:11: the template 'x.env' has no content",
        "say `content: TEXT`",
    ),
    "template without a secret": (
        a_template("content: X=1"),
        "7:29: the template holds no secret",
        "write `{{ NAME }}` for a value; other files are `environment.etc`",
    ),
    "template with an undeclared secret": (
        a_template("content: '{{ aa }}'"),
        "7:29: the template holds 'aa', which is not declared",
        "did you mean a?",
    ),
    "template with foreign braces": (
        a_template("content: '{{ a }} {{ .Name '"),
        "7:29: '{{' opens no placeholder",
        'write `{{ NAME }}` for a value, and `{{ "{{" }}` for the braces themselves',
    ),
    "template with a secret of nobody": (
        a_template("content: '{{ a b }}'"),
        "7:29: '{{' opens no placeholder",
        'write `{{ NAME }}` for a value, and `{{ "{{" }}` for the braces themselves',
    ),
    "template before users": (
        filled(
            "{ shared: { a: { needed-for-users: true } } }", "hq: { x: { content: '{{ a }}' } }"
        ),
        "7:25: the template holds 'a', which is needed for users and thus in no template",
        "take 'needed-for-users' out, or the placeholder",
    ),
    "template with another host's secret": (
        filled("{ hosts: { t15g: { a: } } }", "hq: { x: { content: '{{ a }}' } }"),
        "7:25: the template holds 'a', which hq is not given",
        "declare it for hq too, or the template for others",
    ),
    "template with what is not delivered": (
        filled("{ shared: { a: { deliver: false } } }", "hq: { x: { content: '{{ a }}' } }"),
        "7:25: the template holds 'a', which hq is not given",
        "declare it for hq too, or the template for others",
    ),
    "template with an admins' secret": (
        filled("{ admins: { a: } }", "hq: { x: { content: '{{ a }}' } }"),
        "7:25: the template holds 'a', which hq is not given",
        "declare it for hq too, or the template for others",
    ),
    "template below a folder": (
        a_template("content: x").replace("x.env", "x/y"),
        "7:11: 'x/y' is no name of a template",
        "use letters, digits, '.', '_' and '-': it is a file's name",
    ),
    "template of an unknown host": (
        filled("{ shared: { a: } }", "hp: { x: { content: '{{ a }}' } }"),
        "7:5: unknown host 'hp'",
        "name it under `hosts:` first",
    ),
    "templates of a home": (
        _FLEET + "templates: { home: }\n",
        "4:14: unknown manifest key 'home' in templates",
        "known here: shared, groups, hosts",
    ),
    "two templates of one name": (
        filled(
            "{ shared: { a: } }",
            "hq: { x: { content: '{{ a }}' } }\n  shared: { x: { content: '{{ a }}' } }",
        ),
        "8:13: shared:x and host/hq:x are both to be x on hq",
        "give one of them another name",
    ),
    "template where a secret is": (
        filled(
            "{ shared: { a: { path: /etc/x } } }",
            "hq: { x: { content: '{{ a }}', path: /etc/x } }",
        ),
        "7:11: host/hq:x and shared:a are both to be /etc/x on hq",
        "give one of them another name",
    ),
}


@pytest.mark.parametrize(("text", "words", "hint"), BAD.values(), ids=BAD)
def test_refuses_a_bad_declaration_with_its_place(text: str, words: str, hint: str | None) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_manifest(text.encode())
    error = caught.value
    assert (f"{error.line}:{error.column}: {error.problem}", error.hint) == (words, hint)


GOOD = (
    _FLEET
    + r"""secrets:
  shared:
    plain: { key: old/name, description: "one\ntwo" }
    env: { file: app/env.env, whole-file: true, owner: "a\"${b}" }
    hidden/x: { file: s.json, deliver: false }
    top: { file: s.json, max-age: 30d, rotation: ask them }
templates:
  shared:
    all.conf: { content: "{{ plain }}", mode: "0440" }
  groups:
    both:
      b:
        content: |
          A={{ plain }}${x}
          {{ "{{" }}.Name}} {{env}}{{top}}
        restart-units: [x.service]
"""
)


def test_reads_where_a_value_stands() -> None:
    plain, env, hidden, top = parse_manifest(GOOD.encode()).declarations
    assert plain == Declaration(
        SecretName("plain"), Shared(), key="old/name", description="one\ntwo"
    )
    assert env == Declaration(
        SecretName("env"),
        Shared(),
        file=PurePosixPath("app/env.env"),
        whole_file=True,
        owner='a"${b}',
    )
    assert [one.key_path for one in (plain, env, hidden, top)] == [
        ("old", "name"),
        (),
        ("hidden", "x"),
        ("top",),
    ]
    assert (top.max_age, top.rotation) == (30, "ask them")


def test_reads_templates() -> None:
    plain, env, top = (Placeholder(SecretName(name)) for name in ("plain", "env", "top"))
    assert parse_manifest(GOOD.encode()).templates == (
        Template("all.conf", Shared(), (plain,), mode="0440"),
        Template(
            "b",
            InGroup(GroupName("both")),
            ("A=", plain, "${x}\n{{.Name}} ", env, top, "\n"),
            restart_units=("x.service",),
        ),
    )


def test_a_template_and_a_declaration_are_equal_wherever_they_stand() -> None:
    one = Template("x", OnHost(HostName("hq")), ("y",), line=3)
    other = one._replace(line=9)
    assert (one == other, one != other, len({one, other})) == (True, False, 1)
