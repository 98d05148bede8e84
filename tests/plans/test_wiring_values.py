"""Whatever a manifest says, Nix reads the same out of the wiring."""

import json
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nixsecrets.fleet.manifest import parse_manifest
from nixsecrets.nix.edit import declared_secrets
from nixsecrets.plans.wiring_text import Secret, Wiring, render
from tests.tools import require_tool

SHARED = PurePosixPath("shared/secrets.yaml")
AWKWARD = ['"', "${", "$", "''", "'", "\\", "\n", "\t", "$${", "''${", "\\n", "{{", "}}", "é", "🔑"]

lines = st.lists(
    st.sampled_from([*(one for one in AWKWARD if one.isprintable()), "a", " ", "/"]), min_size=1
).map(lambda pieces: "x" + "".join(pieces) + "y")
texts = st.lists(st.sampled_from([*AWKWARD, "a", " ", "="]), max_size=12).map("".join)
components = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,12}", fullmatch=True)
names = (
    st.lists(components, min_size=1, max_size=3)
    .map("/".join)
    .filter(lambda name: name.split("/")[0] not in {"sops", "rendered"})
)
SECRET = st.fixed_dictionaries(
    {
        "owner": lines,
        "group": lines,
        "path": lines.map(lambda text: f"/etc/{text}"),
        "key": lines.map(lambda text: text.replace("/", "-")),
        "description": lines,
        "rotation": texts.map(lambda text: f"x{text}"),
        "restart-units": st.lists(lines.map(lambda text: f"{text}.service"), max_size=3),
        "reload-units": st.lists(lines.map(lambda text: f"{text}.timer"), max_size=3),
    }
)


FILE = {"path": "/etc/x", "restart-units": [], "reload-units": []}


@st.composite
def manifests(draw: st.DrawFn) -> str:
    name, file = draw(names), draw(components)
    before, after = draw(texts), draw(texts)
    spelled = f"{_spelled(before)}{{{{ {name} }}}}{_spelled(after)}"
    return json.dumps(
        {
            "version": 1,
            "secrets": {"shared": {name: draw(SECRET)}},
            "templates": {"shared": {file: {"content": spelled, "owner": draw(lines)}}},
        },
        ensure_ascii=False,
    )


def _spelled(text: str) -> str:
    return text.replace("{{", '{{ "{{" }}')


def evaluated(wirings: list[bytes], folder: Path) -> list[dict[str, dict[str, object]]]:
    """Return what Nix reads in all of them, asked at once; the names of values for the values."""
    modules = "\n".join(f"({one.decode()})" for one in wirings)
    names = sorted({name for one in wirings for name in declared_secrets(one)})
    known = " ".join(f'{{ name = "{name}"; value = "<{name}>"; }}' for name in names)
    file = folder / "all.nix"
    file.write_text(
        f"""let
  config.sops.placeholder = builtins.listToAttrs [ {known} ];
  lib.mkDefault = value: value;
  read = module: let inherit (module {{ inherit config lib; }}) sops; in {{
    secrets = builtins.mapAttrs (_: one: removeAttrs one [ "sopsFile" ]) sops.secrets;
    inherit (sops) templates;
  }};
in map read [
{modules}
]
"""
    )
    done = subprocess.run(
        [require_tool("nix-instantiate"), "--eval", "--json", "--strict", str(file)],
        check=True,
        capture_output=True,
    )
    read: list[dict[str, dict[str, object]]] = json.loads(done.stdout)
    return read


def _wiring(manifest_text: str) -> bytes:
    manifest = parse_manifest(manifest_text.encode())
    (declaration,), (template,) = manifest.declarations, manifest.templates
    wiring = Wiring(
        PurePosixPath("systems/hq/secrets.nix"),
        None,
        None,
        with_pgp=False,
        secrets=(Secret(declaration, SHARED),),
        consumers=(),
        templates=(template,),
    )
    return render(wiring)


def _expected(manifest_text: str) -> dict[str, dict[str, object]]:
    """Return what the manifest says, as it was written."""
    said = json.loads(manifest_text)
    ((name, secret),) = said["secrets"]["shared"].items()
    ((file, template),) = said["templates"]["shared"].items()
    units = {"restart-units": "restartUnits", "reload-units": "reloadUnits"}
    content = template["content"].replace(f"{{{{ {name} }}}}", f"<{name}>")
    return {
        "secrets": {
            name: {key: secret[key] for key in ("owner", "group", "path", "key")}
            | {option: secret[key] for key, option in units.items() if secret[key]}
        },
        "templates": {
            file: {
                "content": content.replace('{{ "{{" }}', "{{"),
                "owner": template["owner"],
            }
        },
    }


@given(many=st.lists(manifests(), min_size=30, max_size=30))
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_what_the_manifest_says_nix_reads(
    many: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    seen = evaluated([_wiring(one) for one in many], tmp_path_factory.mktemp("wiring"))
    assert seen == [_expected(one) for one in many]
    for one in many:
        ((name, secret),) = json.loads(one)["secrets"]["shared"].items()
        (declaration,) = parse_manifest(one.encode()).declarations
        assert (declaration.name, declaration.description, declaration.rotation) == (
            name,
            secret["description"],
            secret["rotation"],
        )


def test_nothing_before_a_placeholder_keeps_it_from_being_one(tmp_path: Path) -> None:
    many = [
        json.dumps(
            {
                "version": 1,
                "secrets": {"shared": {"a": dict.fromkeys(("owner", "group", "key"), "x") | FILE}},
                "templates": {
                    "shared": {"x": {"content": f"{_spelled(text)}{{{{ a }}}}{text}", "owner": "x"}}
                },
            }
        )
        for text in ("$", "$$", "\\$", "\\", "''", "''$", '"', "{", "$ {", "${")
    ]
    assert evaluated([_wiring(one) for one in many], tmp_path) == [_expected(one) for one in many]
