"""Make the documents with the real sops: `python -m bench.documents SOPS FOLDER NAME…`.

Each NAME gets a folder: `pristine/` has what sops wrote, `repository/` is a git repository whose
`secrets/` the commands work on, and beside them lie the policies. `keys.txt`, above all of them,
has the one identity that opens everything. It was made for this and opens nothing else.
"""

import hashlib
import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyrage import x25519

from bench.cases import DOCUMENTS, FLEET, FLEET_SIZE, LEAST, Document, Policy, path_of
from bench.repository import restore

_SIGNING_KEY_EVERY = 5  # of the values that could be one: they are long
_POLICY = "creation_rules:\n  - path_regex: ^secrets/\n    key_groups:\n      - age:\n"

Tree = dict[str, dict[str, dict[str, str | int]]]


def main() -> None:
    sops, folder, *names = sys.argv[1:]
    identity = x25519.Identity.generate()
    place = Path(folder)
    (place / "keys.txt").write_text(f"{identity}\n")
    (place / "keys.txt").chmod(0o600)
    ours = str(identity.to_public())
    for document in (*LEAST.values(), *DOCUMENTS):
        if document.name in names:
            _make(place / document.name, _others(document, ours), sops, [document])
    if FLEET in names:
        fleet = [Document(f"{number:04}", "", 2 + number % 19) for number in range(FLEET_SIZE)]
        _make(place / FLEET, _others(fleet[0], ours), sops, fleet)


def _others(document: Document, ours: str) -> list[str]:
    """All of the document's recipients, ours where it is to stand."""
    others = [_stranger() for _ in range(document.recipients - 1)]
    return [*others, ours] if document.ours_last else [ours, *others]


def _stranger() -> str:
    return str(x25519.Identity.generate().to_public())


def _make(folder: Path, readers: list[str], sops: str, documents: Sequence[Document]) -> None:
    pristine, repository = folder / "pristine", folder / "repository"
    pristine.mkdir(parents=True)
    (repository / "secrets").mkdir(parents=True)
    (folder / Policy.SAME.value).write_text(_policy(readers))
    (folder / Policy.ONE_MORE.value).write_text(_policy([*readers, _stranger()]))

    restore(folder, Policy.SAME)

    def seal(document: Document) -> None:
        name = Path(document.file).name if len(documents) == 1 else f"{document.name}.yaml"
        (pristine / name).write_bytes(_sealed(document, repository, sops))

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(seal, documents))
    restore(folder, Policy.SAME)
    for arguments in (("init", "--quiet"), ("add", "--all")):
        subprocess.run(["git", "-C", repository, *arguments], check=True)  # noqa: S603, S607  # the user's git


def _policy(readers: Sequence[str]) -> str:
    return _POLICY + "".join(f"          - {reader}\n" for reader in readers)


def _sealed(document: Document, repository: Path, sops: str) -> bytes:
    """Let sops read JSON, which is YAML too, and write it in the document's format."""
    return subprocess.run(  # noqa: S603  # the real sops
        [sops, "encrypt", "--filename-override", document.file, "/dev/stdin"],
        input=json.dumps(_tree(document)).encode(),
        stdout=subprocess.PIPE,
        check=True,
        cwd=repository,
    ).stdout


def _tree(document: Document) -> Tree:
    tree: Tree = {}
    for number in range(document.values):
        host, service, name = path_of(number)
        tree.setdefault(host, {}).setdefault(service, {})[name] = _value(name, number)
    return tree


def _value(name: str, number: int) -> str | int:
    """A value as such a name has it: the same in every run, no two alike."""
    text = b64encode(hashlib.sha512(f"{name} {number}".encode()).digest()).decode()
    match name:
        case "port":
            return 1024 + number
        case "database-url":
            return f"postgres://app:{text[:20]}@db.example.test:5432/app{number}"
        case "signing-key" if number // len(name) % _SIGNING_KEY_EVERY == 0:
            return "-----BEGIN TEST KEY-----\n" + f"{text[:64]}\n" * 6 + "-----END TEST KEY-----\n"
        case _:
            return "v" + text[: 12 + number % 36]


if __name__ == "__main__":
    main()
