"""What sops-install-secrets does with a manifest, re-stated; it decrypts by the real sops.

Use: installer.py [-check-mode=sopsfile] [-ignore-passwd] MANIFEST, with `sops` on PATH.

Source: sops-nix, pkgs/sops-install-secrets/main.go; the functions named below are its own.

- Both modes (validateManifest, validateSecret, loadSopsFile, validateSopsFile): a mode is octal;
  the secrets of one document name one format; a document parses, and the key path leads through
  mappings to a string (recurseSecretKey). The check mode looks at the document as it lies there:
  a value that is sealed is a string whatever it was, and owners are not looked up.
- A document in clear therefore passes the check mode, so that the system builds and the values
  stand in the store. Only the activation fails, by sops: it finds no metadata.
- An owner or a group that the machine does not have fails the activation only (validateOwner).
- YAML is read by a fork of YAML 1.1. A key such as `on` below a mapping that is walked is no
  string there and makes the program panic; at the top of a document any scalar is taken for
  the string that it is spelled as. sops quotes such keys in what it writes, the decrypted text
  too, so that a key that somebody unquoted fails the check mode and nothing else.
- Mappings within JSON cannot be walked. dotenv, ini and binary are delivered whole, as is a
  document whose `key` is empty.
- It is all or nothing: every secret is decrypted before the first file is written
  (installSecrets), and `/run/secrets` then links to the new generation at once.
"""

import argparse
import grp
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

Record = Mapping[str, object]
WHOLE = ("binary", "dotenv", "ini")
RENDERED = "rendered"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


class InstallError(Exception):
    """The program ends with status 1."""


class File(NamedTuple):
    """One file to be written below the new generation, and the place that links to it."""

    name: str
    path: str
    content: bytes
    mode: int
    uid: int
    gid: int


def install(manifest: Record, *, ignore_passwd: bool) -> None:
    """Write every secret and template of a manifest, or none of them."""
    check(manifest, with_owners=not ignore_passwd)
    mount = Path(str(manifest["secretsMountPoint"]))
    _mount(mount)
    identities = mount / "age-keys.txt"
    identities.touch(0o600)
    identities.write_text("".join(_identities(_list(manifest, "ageSshKeyPaths"))))
    documents: dict[str, bytes] = {}
    values = {
        str(one["name"]): _value(one, identities, documents)
        for one in _records(manifest, "secrets")
    }
    owners = (lambda _: (0, 0)) if ignore_passwd else _owner
    files = [
        _file(one, str(one["name"]), values[str(one["name"])], owners(one))
        for one in _records(manifest, "secrets")
    ]
    for one in _records(manifest, "templates"):
        content = _rendered(manifest, one, values)
        files.append(_file(one, f"{RENDERED}/{one['name']}", content, owners(one)))
    _write(mount, Path(str(manifest["symlinkPath"])), files)


def check(manifest: Record, *, with_owners: bool) -> None:
    """Validate a manifest as the build does; owners are looked up by an activation alone."""
    formats: dict[str, tuple[object, object]] = {}
    entries = [*_records(manifest, "secrets"), *_records(manifest, "templates")]
    for one in entries:
        _mode(one)
        if with_owners:
            _owner(one)
        if "sopsFile" in one:
            first = formats.setdefault(str(one["sopsFile"]), (one["format"], one["name"]))
            _check_secret(one, *first)
        elif not one["content"]:
            _fail(f"no content was specified for template {one['name']}")
    placeholders = manifest["placeholderBySecretName"]
    for one in _records(manifest, "secrets") if manifest["templates"] else ():
        if not isinstance(placeholders, dict) or one["name"] not in placeholders:
            _fail(f"placeholder for {one['name']} not found in manifest")


def _check_secret(one: Record, kind: object, first: object) -> None:
    if one["format"] != kind:
        _fail(f"secret {one['name']} is of the format {one['format']}, {first} of {kind}")
    parsed = _parse(Path(str(one["sopsFile"])).read_bytes(), str(kind))
    if kind not in WHOLE and one["key"]:
        _find(parsed, one)


def age_identity(private: bytes) -> str:
    """Return the `AGE-SECRET-KEY-1…` of an ssh-ed25519 identity (ssh-to-age, convert.go)."""
    identity = load_ssh_private_key(private, password=None)
    assert isinstance(identity, Ed25519PrivateKey)
    seed = hashlib.sha512(identity.private_bytes_raw()).digest()[:32]
    return bech32("age-secret-key-", seed).upper()


def bech32(prefix: str, content: bytes) -> str:
    """Return bytes in the spelling of BIP-173."""
    number, missing = int.from_bytes(content, "big"), -8 * len(content) % 5
    count = (8 * len(content) + missing) // 5
    digits = [number << missing >> 5 * place & 31 for place in reversed(range(count))]
    spread = [ord(one) >> 5 for one in prefix] + [0] + [ord(one) & 31 for one in prefix]
    total = 1
    for digit in [*spread, *digits, 0, 0, 0, 0, 0, 0]:
        top, total = total >> 25, (total & 0x1FFFFFF) << 5 ^ digit
        for place, mask in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            total ^= mask if top >> place & 1 else 0
    digits += [(total ^ 1) >> 5 * place & 31 for place in reversed(range(6))]
    return f"{prefix}1{''.join(BECH32[digit] for digit in digits)}"


def _fail(problem: str) -> NoReturn:
    raise InstallError(problem)


def _list(record: Record, name: str) -> Sequence[object]:
    found = record[name]
    assert isinstance(found, list)
    return found


def _records(manifest: Record, name: str) -> Iterator[Record]:
    for one in _list(manifest, name):
        assert isinstance(one, dict)
        yield one


def _identities(files: Sequence[object]) -> Iterator[str]:
    """As importAgeSSHKeys: a file that is not there, or no such identity, is only told."""
    for file in files:
        try:
            yield age_identity(Path(str(file)).read_bytes()) + "\n"
        except (OSError, ValueError) as error:
            sys.stderr.write(f"Cannot convert ssh key '{file}': {error}\n")


def _parse(content: bytes, kind: str) -> object:
    match kind:
        case "yaml":
            return _Keys(yaml.SafeLoader(content)).read()
        case "json" | "binary":
            return json.loads(content)
        case _:
            return {}


class _Keys:
    """A YAML 1.1 document; mapping keys below the top that are no strings become None."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader

    def read(self) -> object:
        node = self._loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            _fail("it is no mapping")
        return {key.value: self._shown(value) for key, value in node.value}

    def _shown(self, node: yaml.Node) -> object:
        match node:
            case yaml.MappingNode():
                return {self._key(key): self._shown(value) for key, value in node.value}
            case yaml.ScalarNode(tag="tag:yaml.org,2002:str"):
                return node.value
            case _:
                return None

    def _key(self, node: yaml.Node) -> object:
        is_string = node.tag == "tag:yaml.org,2002:str" and (
            node.style or node.value not in [*"yYnN"]
        )
        return node.value if is_string else None


def _find(parsed: object, secret: Record) -> str:
    """As recurseSecretKey: a/b/c through mappings, whose keys are all strings, to a string."""
    where = f"secret {secret['name']} in {secret['sopsFile']} is not valid"
    *parents, last = str(secret["key"]).split("/")
    for name in parents:
        if not isinstance(parsed, dict) or name not in parsed:
            _fail(f"{where}: the key '{name}' cannot be found")
        parsed = parsed[name]
        if not isinstance(parsed, dict) or secret["format"] == "json":
            _fail(f"{where}: key '{name}' does not refer to a dictionary")
        if None in parsed:
            _fail("panic: interface conversion: interface {} is bool, not string")
    if not isinstance(parsed, dict) or last not in parsed:
        _fail(f"{where}: the key '{last}' cannot be found")
    found = parsed[last]
    if not isinstance(found, str):
        _fail(f"{where}: the value of key '{last}' is not a string")
    return found


def _mode(one: Record) -> int:
    digits = str(one["mode"])
    if not digits or set(digits) - set("01234567") or int(digits, 8) > 0xFFFF:
        _fail(f"invalid number in mode: {digits}")
    return int(digits, 8)


def _owner(one: Record) -> tuple[int, int]:
    try:
        uid = pwd.getpwnam(str(one["owner"])).pw_uid if one["owner"] else int(str(one["uid"]))
        gid = grp.getgrnam(str(one["group"])).gr_gid if one["group"] else int(str(one["gid"]))
    except KeyError as error:
        _fail(f"failed to lookup user or group: {error}")
    return uid, gid


def _value(secret: Record, identities: Path, documents: dict[str, bytes]) -> bytes:
    file, kind = str(secret["sopsFile"]), str(secret["format"])
    if file not in documents:
        types = ["--input-type", kind, "--output-type", kind]
        ended = subprocess.run(
            ["sops", "decrypt", *types, file],
            env={"PATH": os.environ["PATH"], "HOME": "/", "SOPS_AGE_KEY_FILE": str(identities)},
            capture_output=True,
            check=False,
        )
        if ended.returncode != 0:
            _fail(f"failed to decrypt '{file}': {ended.stderr.decode()}")
        documents[file] = ended.stdout
    if kind in WHOLE or not secret["key"]:
        return documents[file]
    return _find(_parse(documents[file], kind), secret).encode()


def _rendered(manifest: Record, template: Record, values: Mapping[str, bytes]) -> bytes:
    content = str(template["content"]).encode()
    placeholders = manifest["placeholderBySecretName"]
    assert isinstance(placeholders, dict)
    for name, value in values.items():
        content = content.replace(placeholders[name].encode(), value)
    return content


def _file(one: Record, name: str, content: bytes, owner: tuple[int, int]) -> File:
    return File(name, str(one["path"]), content, _mode(one), *owner)


def _mount(folder: Path) -> None:
    """As MountSecretFs (linux.go)."""
    folder.mkdir(0o751, parents=True, exist_ok=True)
    if not folder.is_mount():
        options = "mode=0751,nodev,nosuid,noexec"
        subprocess.run(["mount", "-t", "ramfs", "-o", options, "none", folder], check=True)


def _write(mount: Path, link: Path, files: Sequence[File]) -> None:
    number = int(link.readlink().name) + 1 if link.is_symlink() else 1
    folder = mount / str(number)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(0o751)
    for one in files:
        file = folder / one.name
        file.parent.mkdir(0o751, parents=True, exist_ok=True)
        file.touch(0o600)
        file.write_bytes(one.content)
        os.chown(file, one.uid, one.gid)
        file.chmod(one.mode)
    _link(folder, link)
    for one in files:
        if Path(one.path) != link / one.name:
            Path(one.path).parent.mkdir(parents=True, exist_ok=True)
            _link(link / one.name, Path(one.path))


def _link(target: Path, place: Path) -> None:
    """As atomicSymlink; a folder that stands where the first link belongs is removed."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    beside = place.with_name(f".{place.name}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(place)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-check-mode", choices=("sopsfile", "off"), default="off")
    parser.add_argument("-ignore-passwd", action="store_true")
    parser.add_argument("manifest", type=Path)
    given = parser.parse_args()
    manifest = json.loads(given.manifest.read_bytes())
    try:
        if given.check_mode == "off":
            install(manifest, ignore_passwd=given.ignore_passwd)
        else:
            check(manifest, with_owners=False)
    except (InstallError, OSError, ValueError, yaml.YAMLError) as error:
        sys.exit(f"sops-install-secrets: {error}")


if __name__ == "__main__":
    main()
