import pytest

from nixsecrets.nix.edit import NotUnderstood, add_import, has_import
from nixsecrets.nix.syntax import NixSyntaxError
from tests.nix.real import assert_parses, unmarked

WIRING = "./secrets.nix"

# What is inserted stands between « and ».
MODULES = {
    "list of several lines": """{ config, pkgs, ... }:

{
  imports = [
    ./hardware-configuration.nix
    ../../shared/desktop.nix«
    ./secrets.nix»
  ];

  networking.hostName = "hq";
}
""",
    "list on one line": "{ ... }: { imports = [ ./a.nix« ./secrets.nix» ]; }\n",
    "list on one line with a comment": """{
  imports = [ ./a.nix« ./secrets.nix» ]; # more to come
}
""",
    "remark behind the last element": """{
  imports = [
    ./a.nix # the disk, and /* so on
    ./b.nix /* of a
      long story */ # and more«
    ./secrets.nix»
    # ./c.nix
  ];
}
""",
    "last element beside the bracket": """{
  imports = [ ./a.nix
              ./b.nix«
              ./secrets.nix» ];
}
""",
    "two elements a line": """{
  imports = [
    ./a.nix ./b.nix
    ./c.nix ./d.nix« ./secrets.nix»
  ];
}
""",
    "empty list": "{ imports = [« ./secrets.nix» ]; }\n",
    "empty list without a blank": "{ imports = [« ./secrets.nix »]; }\n",
    "empty list of several lines": """{
  imports = [«
    ./secrets.nix»
  ];
}
""",
    "list with nothing but a comment": """{
  imports = [ # none«
    ./secrets.nix»
    # ./a.nix
  ];
}
""",
    "tabs, empty list": "{\n\timports = [«\n\t\t./secrets.nix»\n\t];\n}\n",
    "tabs": "{\n\timports = [\n\t\t./a.nix«\n\t\t./secrets.nix»\n\t];\n}\n",
    "line ends of DOS": (
        "{ ... }:\r\n{\r\n  imports = [\r\n    ./a.nix # x«\r\n    ./secrets.nix»\r\n  ];\r\n}\r\n"
    ),
    "calls and strings among the elements": """{ inputs, modulesPath, ... }:
{
  imports = [
    (modulesPath + "/installer/scan/not-detected.nix")
    "${modulesPath}/profiles/minimal.nix"
    inputs.home-manager.nixosModules.default
    (import ./x.nix { y = [ ]; })
    {
      networking.hostName = "x";
    }«
    ./secrets.nix»
  ];
}
""",
    "joined lists": """{ lib, ... }:
{
  imports = [
    ./a.nix«
    ./secrets.nix»
  ]
  ++ lib.optional true ./b.nix
  ++ [ ./c.nix ];
}
""",
    "call joined with a list": """{ lib, ... }: {
  imports = (map (x: x) [ ]) ++ [ ./c.nix« ./secrets.nix» ];
}
""",
    "call": """{ lib, ... }: {
  imports = map (name: ./. + "/${name}") [ "a.nix" ]« ++ [ ./secrets.nix ]»;
}
""",
    "name": "{ profiles, ... }: { imports = profiles.laptop« ++ [ ./secrets.nix ]»; }\n",
    "list below with": """{ inputs, ... }:
{
  imports = with inputs; [
    disko.nixosModules.disko«
    ./secrets.nix»
  ];
}
""",
    "no imports": """{ config, ... }:

{ # the whole machine«
  imports = [ ./secrets.nix ];»
  # its name
  networking.hostName = "hq";
}
""",
    "no imports, on one line": "{ ... }: {« imports = [ ./secrets.nix ];» a = 1; }\n",
    "no imports, nothing at all": "{ }: {« imports = [ ./secrets.nix ]; »}\n",
    "no imports, nothing, of several lines": "{\n«  imports = [ ./secrets.nix ];\n»}\n",
    "no imports, four blanks": "{\n«    imports = [ ./secrets.nix ];\n»    a = 1;\n}\n",
    "no imports, inherited names": "{ x }: {\n«  imports = [ ./secrets.nix ];\n»  inherit x; }\n",
    "one argument": "args: {\n  imports = [ ./a.nix« ./secrets.nix» ];\n}\n",
    "arguments with a comma after the last": """{
  config,
  pkgs,
}:
{
  imports = [ ./a.nix« ./secrets.nix» ];
}
""",
    "let before the function": """let
  imports = [ ./not-these.nix ];
in
{ ... }: { imports = [ ./a.nix« ./secrets.nix» ]; }
""",
    "let in the function": """{ ... }:
let
  a = { imports = [ ./not-these.nix ]; };
in
{
  imports = [
    ./a.nix«
    ./secrets.nix»
  ];
}
""",
    "with, assert, rec and parentheses": """{ lib, ... }@args:
with lib; assert true; (rec {
  x = { imports = [ ./not-these.nix ]; };
  imports = [ ./a.nix« ./secrets.nix» ];
})
""",
    "function of two steps": "inputs: { pkgs, ... }: { imports = [ ./a.nix« ./secrets.nix» ]; }\n",
    "another file of that name": "{ imports = [ ../secrets.nix« ./secrets.nix» ]; }\n",
    "brackets and quotes in strings": """{
  imports = [
    "]; imports = [ ./secrets.nix"
    ''
      ]; ${"["} ''${
    ''«
    ./secrets.nix»
  ];
}
""",
    "letters beyond ASCII": """{ # ä ☃
  imports = [ (./. + "/ä.nix")« ./secrets.nix» ];
}
""",
}


@pytest.mark.parametrize("marked", [pytest.param(text, id=name) for name, text in MODULES.items()])
def test_an_import_is_inserted_and_nothing_else(marked: str) -> None:
    before, after = unmarked(marked)
    assert_parses(before)

    result = add_import(before, WIRING)

    assert result.decode() == after.decode()
    assert_parses(result)
    assert not has_import(before, WIRING)
    assert has_import(result, WIRING)
    assert add_import(result, WIRING) == result


def test_bytes_that_are_no_text_stay() -> None:
    before = b"{\n  # caf\xe9\n  imports = [ ./a.nix ];\n}\n"

    assert add_import(before, WIRING) == before.replace(b"./a.nix", b"./a.nix ./secrets.nix")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{ imports = [ ./secrets.nix ]; }", id="as it is written"),
        pytest.param(b"{ imports = [ ./x/../secrets.nix ]; }", id="by a detour"),
        pytest.param(b'{ imports = [ (./. + "/secrets.nix") ]; }', id="by addition"),
        pytest.param(
            b"{ imports = [ (import ./secrets.nix { }) ]; }", id="imported with arguments"
        ),
        pytest.param(b"x: { imports = [ ] ++ x.optional x.y ./secrets.nix; }", id="on a condition"),
    ],
)
def test_an_import_that_is_there_is_not_added_again(content: bytes) -> None:
    assert_parses(content)

    assert add_import(content, WIRING) == content


def test_a_path_that_no_literal_can_hold_is_added_in_parentheses() -> None:
    result = add_import(b"{ imports = [ ]; }", "./my secrets.nix")

    assert result == b'{ imports = [ (./. + "/my secrets.nix") ]; }'
    assert has_import(result, "./my secrets.nix")


@pytest.mark.parametrize(
    ("content", "text", "line"),
    [
        pytest.param(
            b"x:\nlet imports = [ ]; in\n{ inherit imports; }", "./secrets.nix", 3, id="inherited"
        ),
        pytest.param(
            b"x: {\n  imports = if x then [ ] else [ ./a.nix ];\n}",
            "./secrets.nix",
            2,
            id="on a condition",
        ),
        pytest.param(
            b"{ lib, ... }:\nlib.mkMerge [ { } ]", "imports = [ ./secrets.nix ];", 2, id="a call"
        ),
        pytest.param(b"import ./x.nix", "imports = [ ./secrets.nix ];", 1, id="another file"),
        pytest.param(b"{ } // { }", "imports = [ ./secrets.nix ];", 1, id="merged sets"),
    ],
)
def test_another_shape_is_refused_with_what_to_add(content: bytes, text: str, line: int) -> None:
    assert_parses(content)

    with pytest.raises(NotUnderstood) as refused:
        add_import(content, WIRING)

    assert (refused.value.text, refused.value.line) == (text, line)
    assert "module" in refused.value.where
    assert refused.value.hint == f"add `{text}` {refused.value.where}"


def test_a_module_with_an_error_is_not_edited() -> None:
    with pytest.raises(NixSyntaxError):
        add_import(b"{ imports = [ ./a.nix; }", WIRING)
