"""nixsecrets.yaml: the text read into values, every fault with its line and column."""

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.crosscheck import (
    Stated,
    check_declarations,
    check_files,
    check_generators,
    check_labels,
    check_templates,
)
from nixsecrets.fleet.declared import parse_declarations
from nixsecrets.fleet.layout import PLACEHOLDERS, Layout, parse_path, parse_pattern
from nixsecrets.fleet.model import (
    CommitSettings,
    Deliver,
    Engine,
    Evaluate,
    Group,
    Host,
    HostSettings,
    Identity,
    IdentityFile,
    IdentitySsh,
    Manifest,
    Person,
    RebuildSettings,
    Role,
)
from nixsecrets.fleet.names import parse_group_name, parse_host_name, parse_person_name
from nixsecrets.fleet.outline import Entry, Node, Scalar, Sequence, Span, decode, parse_outline
from nixsecrets.fleet.placement import check_documents
from nixsecrets.fleet.section import (
    Section,
    as_mapping,
    as_text,
    closed,
    distinct,
    one_of,
    parse_absolute,
    parsed,
)
from nixsecrets.fleet.template_reading import parse_templates

SECTIONS = (
    "version",
    "layout",
    "people",
    "hosts",
    "groups",
    "secrets",
    "templates",
    "wiring",
    "evaluate",
    "rebuild",
)

VERSION = "1"
HOST_KEYS = (
    "directory",
    "attribute",
    "host-name",
    "anchor",
    "address",
    "configuration",
    "identity",
    "rebuild",
)
PERSON_KEYS = ("role",)
IDENTITY_KEYS = ("file", "ssh")
GROUP_KEYS = ("hosts", "people")
WIRING_KEYS = ("deliver",)
REBUILD_KEYS = ("engine", "log", "commit")
COMMIT_KEYS = ("message", "paths", "push")
_HOST_WORDS = frozenset({"{host}", "{directory}", "{attribute}"})
_COMMIT_WORDS = _HOST_WORDS | {"{generation}", "{message}"}

# Spelled so that neither a flake reference nor YAML nor ssh needs quotes around them.
_ATTRIBUTE = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ANCHOR = _ATTRIBUTE
_MACHINE_NAME = r"[A-Za-z0-9][A-Za-z0-9.-]*"
_ADDRESS = r"(?!-)[^\s@]+(@(?!-)[^\s@]+)?"


def parse_manifest(
    content: bytes, is_directory: Callable[[PurePosixPath], bool] = lambda _path: False
) -> Manifest:
    """Return what the manifest says; no key file is read, so no host has a recipient.

    Args:
        content: the file.
        is_directory: asked only where `layout.host` is a list of patterns, to find which of them
            a host lives in; the first of the list where none is there.

    Raises:
        RepositoryError: the text is no manifest; with line and column.
    """
    root = closed(parse_outline(decode(content)), "the manifest", SECTIONS)
    _check_version(root)
    layout = _layout(root.node("layout"))
    people = tuple(_person(entry) for entry in as_mapping(root.node("people"), "people").entries)
    hosts = tuple(
        _host(entry, layout, is_directory)
        for entry in as_mapping(root.node("hosts"), "hosts").entries
    )
    check_labels(hosts, people)
    manifest = Manifest(
        layout=layout,
        people=tuple(person for _, person in people),
        hosts=tuple(host for _, host in hosts),
        deliver=_deliver(root.node("wiring")),
        evaluate=root.choice("evaluate", Evaluate) or Evaluate.NEVER,
        rebuild=_rebuild(root.node("rebuild")),
    )
    groups = tuple(
        _group(entry, manifest) for entry in as_mapping(root.node("groups"), "groups").entries
    )
    manifest = manifest._replace(groups=tuple(group for _, group in groups))
    declared = parse_declarations(root.node("secrets"), manifest)
    written = root.entry("layout")
    layout_at = written.name.at if written else Span(0, 0, 1, 1)
    check_files(Stated(hosts, groups, people, declared), layout, layout_at)
    check_declarations(declared, manifest)
    check_documents(declared, manifest)
    check_generators(declared)
    templates = parse_templates(root.node("templates"), manifest)
    manifest = manifest._replace(declarations=tuple(declaration for _, declaration in declared))
    check_templates(templates, manifest)
    return manifest._replace(templates=tuple(one.template for one in templates))


def _check_version(root: Section) -> None:
    hint = f"begin the file with `version: {VERSION}`"
    node = root.node("version")
    if node is None:
        raise Span(0, 0, 1, 1).fault("the manifest says no version", hint)
    if not (isinstance(node, Scalar) and node.plain and node.text == VERSION):
        raise node.at.fault("the manifest is of another version", hint)


def _layout(node: Node | None) -> Layout:
    section = closed(node, "layout", PLACEHOLDERS)
    given = {
        name: pattern
        for name, placeholders in PLACEHOLDERS.items()
        if name != "host" and (pattern := section.read(name, _pattern_of(*placeholders)))
    }
    directories = _host_directories(section.entry("host"))
    return Layout.of(directories or Layout().host_directories, given)


def _host_directories(entry: Entry | None) -> tuple[str, ...]:
    if entry is None:
        return ()
    value = entry.value
    patterns = value.items if isinstance(value, Sequence) else (value,)
    if not patterns:
        raise value.at.fault("'host' is an empty list")
    return tuple(parsed(as_text(item, "'host'"), _pattern_of("{host}")) for item in patterns)


def _pattern_of(*placeholders: str) -> Callable[[str], str]:
    return lambda text: parse_pattern(text, *placeholders)


def _person(entry: Entry) -> tuple[Span, Person]:
    name = parsed(entry.name, parse_person_name)
    section = closed(entry.value, "a person", PERSON_KEYS)
    role = section.choice("role", Role)
    return entry.name.at, Person(name, role or Role.ADMIN)


def _host(
    entry: Entry, layout: Layout, is_directory: Callable[[PurePosixPath], bool]
) -> tuple[Span, Host]:
    name = parsed(entry.name, parse_host_name)
    section = closed(entry.value, "a host", HOST_KEYS)
    settings = HostSettings(
        directory=section.read("directory", parse_path),
        attribute=section.read("attribute", _spelled(_ATTRIBUTE, "attribute of a flake")),
        host_name=section.read("host-name", _spelled(_MACHINE_NAME, "name of a machine")),
        anchor=section.read("anchor", _spelled(_ANCHOR, "name of an anchor")),
        address=section.read("address", _spelled(_ADDRESS, "address for ssh")),
        configuration=section.read("configuration", parse_path),
        identity=_identity(section.entry("identity")),
        engine=_engine(closed(section.node("rebuild"), "a host's rebuild", ("engine",))),
    )
    return entry.name.at, Host.of(name, settings, layout.directory(name, is_directory))


def _spelled(pattern: str, what: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise RepositoryError(f"{text!r} is no {what}")
        return text

    return parse


def _identity(entry: Entry | None) -> Identity | None:
    if entry is None:
        return None
    section = closed(entry.value, "identity", IDENTITY_KEYS)
    file = section.read("file", parse_absolute)
    paths = tuple(parsed(path, parse_absolute) for path in section.texts("ssh"))
    match file, paths:
        case str(), ():
            return IdentityFile(file)
        case None, (_, *_):
            return IdentitySsh(paths)
        case _:
            raise entry.name.at.fault(
                "an identity is one of 'file' and 'ssh'",
                "write `{ file: /PATH }` or `{ ssh: [/PATH] }`",
            )


def _engine(section: Section) -> Engine | None:
    return section.choice("engine", Engine)


def _group(entry: Entry, manifest: Manifest) -> tuple[Span, Group]:
    name = parsed(entry.name, parse_group_name)
    section = closed(entry.value, "a group", GROUP_KEYS)
    hosts = {str(host.name): host.name for host in manifest.hosts}
    people = {str(person.name): person.name for person in manifest.people}
    return entry.name.at, Group(
        name,
        tuple(one_of(host, "host", hosts) for host in distinct(section.names("hosts"))),
        tuple(one_of(person, "person", people) for person in distinct(section.names("people"))),
    )


def _deliver(node: Node | None) -> Deliver:
    return closed(node, "wiring", WIRING_KEYS).choice("deliver", Deliver) or Deliver.DECLARED


def _rebuild(node: Node | None) -> RebuildSettings:
    section = closed(node, "rebuild", REBUILD_KEYS, ("full",))
    usual = RebuildSettings()
    return RebuildSettings(
        _engine(section) or usual.engine,
        section.read("log", _path_words) or usual.log,
        _commit(section.node("commit")),
    )


def _commit(node: Node | None) -> CommitSettings | None:
    if isinstance(node, Scalar) and node.plain and node.text == "false":
        return None
    section = closed(node, "commit", COMMIT_KEYS)
    usual = CommitSettings()
    paths = tuple(parsed(path, _path_words) for path in section.texts("paths"))
    return CommitSettings(
        section.read("message", _message_words) or usual.message,
        paths if section.entry("paths") else usual.paths,
        section.flag("push", default=usual.push),
    )


def _path_words(text: str) -> str:
    return str(parse_path(_with_words(text, _HOST_WORDS)))


def _message_words(text: str) -> str:
    return _with_words(text, _COMMIT_WORDS)


def _with_words(text: str, words: frozenset[str]) -> str:
    foreign = sorted(set(re.findall(r"\{[^{}]*\}|[{}]", text)) - words)
    if foreign:
        raise RepositoryError(
            f"{foreign[0]!r} has no meaning here", hint=f"known here: {', '.join(sorted(words))}"
        )
    return text
