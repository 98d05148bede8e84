"""What is compared: documents, operations in both programs' words, and the targets."""

from dataclasses import dataclass
from enum import Enum

SERVICES = (
    "nextcloud",
    "postgresql",
    "gitea",
    "restic",
    "wireguard",
    "grafana",
    "mail",
    "matrix",
    "vaultwarden",
    "borgbackup",
)
NAMES = ("admin-password", "database-url", "token", "port", "signing-key")
FLEET = "fleet"
FLEET_SIZE = 1000
IMPORTS = "imports"


class Policy(Enum):
    """The file that becomes `.sops.yaml`: with the documents' recipients, or with one more."""

    SAME = "policy-same.yaml"
    ONE_MORE = "policy-one-more.yaml"


@dataclass(frozen=True, slots=True)
class Document:
    name: str
    title: str
    values: int
    recipients: int = 5
    suffix: str = "yaml"
    ours_last: bool = False

    @property
    def file(self) -> str:
        return f"secrets/document.{self.suffix}"

    @property
    def key_path(self) -> str:
        """A password in the middle of the document, as sops spells its place."""
        middle = self.values // 2
        return "".join(f'["{name}"]' for name in path_of(middle - middle % len(NAMES)))


@dataclass(frozen=True, slots=True)
class Operation:
    """One command of each program; `{file}` and `{path}` stand for the document's."""

    name: str
    ours: tuple[str, ...]
    sops: tuple[str, ...]
    changes: bool = False
    policy: Policy = Policy.SAME


@dataclass(frozen=True, slots=True)
class Case:
    document: Document
    operation: Operation
    target: float | None


GET = Operation(
    "get one value",
    ("get", "--file", "{file}", "--path", "{path}"),
    ("decrypt", "--extract", "{path}", "{file}"),
)
DECRYPT = Operation("decrypt", ("decrypt", "{file}"), ("decrypt", "{file}"))
SET = Operation(
    "set one value",
    ("set", "--yes", "--file", "{file}", "--path", "{path}"),
    ("set", "{file}", "{path}", '"a new value"'),
    changes=True,
)
ROTATE = Operation(
    "rotate",
    ("rotate", "data-keys", "{file}", "--yes"),
    ("rotate", "-i", "{file}"),
    changes=True,
)
UPDATEKEYS = Operation(
    "updatekeys",
    ("rekey", "{file}", "--yes"),
    ("updatekeys", "-y", "{file}"),
    changes=True,
    policy=Policy.ONE_MORE,
)
VERSION = Operation("--version", ("--version",), ("--disable-version-check", "--version"))
OPERATIONS = (GET, DECRYPT, SET, ROTATE, UPDATEKEYS)

# Start-up and nothing else: what the same command takes here is no work on a document.
LEAST = {
    suffix: Document(f"least-{suffix}", "one value", 1, recipients=1, suffix=suffix)
    for suffix in ("yaml", "json")
}
LARGEST = Document("50000", "50,000 values", 50_000)
DOCUMENTS = (
    Document("small", "10 values", 10),
    Document("recipients-first", "10 values, 100 recipients, ours first", 10, recipients=100),
    Document(
        "recipients-last",
        "10 values, 100 recipients, ours last",
        10,
        recipients=100,
        ours_last=True,
    ),
    Document("1000", "1,000 values", 1000),
    Document("10000", "10,000 values", 10_000),
    LARGEST,
    Document("json", "10,000 values, JSON", 10_000, suffix="json"),
)
SECTIONS = ("version", *(document.name for document in DOCUMENTS), FLEET, IMPORTS)
MEMORY_TARGET = 10.0

_LARGE = {GET: 0.4, DECRYPT: 0.25, SET: 0.25, ROTATE: 0.25, UPDATEKEYS: 0.1}
_TARGETS: dict[str, dict[Operation, float]] = {
    "small": dict.fromkeys(OPERATIONS, 4.0),
    "recipients-first": dict.fromkeys(OPERATIONS, 0.8),
    "recipients-last": dict.fromkeys(OPERATIONS, 0.8),
    "1000": dict.fromkeys((GET, DECRYPT, SET, ROTATE), 0.6),
    "10000": _LARGE,
    "50000": _LARGE,
    "json": _LARGE,
}


def path_of(number: int) -> tuple[str, str, str]:
    """Where a document's value stands: host, service, name; fifty values a host."""
    services, name = divmod(number, len(NAMES))
    host, service = divmod(services, len(SERVICES))
    return f"host-{host:04}", SERVICES[service], NAMES[name]


def cases(sections: frozenset[str]) -> list[Case]:
    version = [Case(LEAST["yaml"], VERSION, None)] if "version" in sections else []
    return version + [
        Case(document, operation, _TARGETS[document.name].get(operation))
        for document in DOCUMENTS
        if document.name in sections
        for operation in OPERATIONS
    ]
