"""What nixsecrets.yaml holds, and its schema."""

import json

from tests.cli.scenes import Scene


def test_the_schema_is_printed_in_any_folder(bare: Scene) -> None:
    schema = json.loads(bare.done("manifest", "--schema"))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "templates" in schema["properties"]


def test_says_what_the_manifest_holds(fleet: Scene) -> None:
    told = fleet.done("manifest")
    assert "hosts" in told
    rows = json.loads(fleet.done("manifest", "--json"))["rows"]
    assert {"what": "hosts", "number": "5"} in rows


def test_a_mistake_has_its_place(fleet: Scene) -> None:
    fleet.write("nixsecrets.yaml", fleet.read("nixsecrets.yaml") + "secret: {}\n")
    ended = fleet.run("manifest")
    assert ended.status == 3
    assert "unknown manifest key 'secret'" in ended.stderr
