import pytest

from nixsecrets.nix.edit import NotUnderstood, add_flake_input, sops_nix_reference
from tests.nix.real import assert_parses, unmarked

# What is inserted stands between « and »; then how `outputs` spells the input afterwards.
FLAKES = {
    "block in braces": (
        """{
  description = "a fleet";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    home-manager = {
      url = "github:nix-community/home-manager";
      inputs.nixpkgs.follows = "nixpkgs";
    }; # home«
    sops-nix = {
      url = "github:Mic92/sops-nix";
      inputs.nixpkgs.follows = "nixpkgs";
    };»
  };

  outputs = { self, nixpkgs, home-manager, ... }@inputs: { };
}
""",
        "inputs.sops-nix",
    ),
    "block with blank lines": (
        """{
  inputs = {
    # the system
    nixpkgs.url = "github:NixOS/nixpkgs";

    disko = { url = "github:nix-community/disko"; };«

    sops-nix = {
      url = "github:Mic92/sops-nix";
      inputs.nixpkgs.follows = "nixpkgs";
    };»
  };
  outputs = inputs: { };
}
""",
        "inputs.sops-nix",
    ),
    "block of dotted inputs": (
        """{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs";
    disko.url = "github:nix-community/disko";
    disko.inputs.nixpkgs.follows = "nixpkgs";«
    sops-nix.url = "github:Mic92/sops-nix";
    sops-nix.inputs.nixpkgs.follows = "nixpkgs";»
  };
  outputs = inputs@{ self, ... }: { };
}
""",
        "inputs.sops-nix",
    ),
    "block of one address": (
        """{
    inputs = {
        nixpkgs.url = github:NixOS/nixpkgs;«
        sops-nix = {
            url = "github:Mic92/sops-nix";
            inputs.nixpkgs.follows = "nixpkgs";
        };»
    };
    outputs = { self, nixpkgs, ... } @ args: { };
}
""",
        "args.sops-nix",
    ),
    "block on one line": (
        """{
 inputs = { nixpkgs.url = "";« sops-nix = { url = "SOPS"; inputs.nixpkgs.follows = "nixpkgs"; };» };
  outputs = inputs: { };
}
""".replace("SOPS", "github:Mic92/sops-nix"),
        "inputs.sops-nix",
    ),
    "empty block": (
        """{
  inputs = {«
    sops-nix.url = "github:Mic92/sops-nix";»
  };
  outputs = inputs: { };
}
""",
        "inputs.sops-nix",
    ),
    "dotted bindings": (
        """{
\tinputs.nixpkgs.url = "github:NixOS/nixpkgs";
\tinputs.disko.url = "github:nix-community/disko";
\tinputs.disko.inputs.nixpkgs.follows = "nixpkgs"; # pinned«
\tinputs.sops-nix.url = "github:Mic92/sops-nix";
\tinputs.sops-nix.inputs.nixpkgs.follows = "nixpkgs";»

\toutputs = { self, ... }@inputs: { };
}
""",
        "inputs.sops-nix",
    ),
    "dotted bindings with braces": (
        """{
  inputs.nixpkgs = { url = "github:NixOS/nixpkgs"; };«
  inputs.sops-nix = {
    url = "github:Mic92/sops-nix";
    inputs.nixpkgs.follows = "nixpkgs";
  };»
  outputs = inputs: { };
}
""",
        "inputs.sops-nix",
    ),
    "no input named nixpkgs": (
        """{
  inputs = {
    stable.url = "github:NixOS/nixpkgs";«
    sops-nix.url = "github:Mic92/sops-nix";»
  };
  outputs = inputs: { };
}
""",
        "inputs.sops-nix",
    ),
    "no inputs": (
        """{«
  inputs.sops-nix.url = "github:Mic92/sops-nix";»
  outputs = { self, nixpkgs, ... }@inputs: { };
}
""",
        "inputs.sops-nix",
    ),
    "line ends of DOS": (
        """{
  inputs = {
    stable.url = "github:NixOS/nixpkgs"; # x«
    sops-nix.url = "github:Mic92/sops-nix";»
  };
  outputs = {
    self,
    stable, # y«
    sops-nix,»
    ...
  }: { };
}
""".replace("\n", "\r\n"),
        "sops-nix",
    ),
    "arguments without a name": (
        """{
  inputs = { n.url = "x";« sops-nix.url = "github:Mic92/sops-nix";» };
  outputs = { self, n«, sops-nix», ... }: { };
}
""",
        "sops-nix",
    ),
    "arguments without a name, a line each": (
        """{
  inputs = { n.url = "x";« sops-nix.url = "github:Mic92/sops-nix";» };
  outputs =
    {
      self,
      n, # packages, and more«
      sops-nix,»
      # the rest
      ...
    }:
    { };
}
""",
        "sops-nix",
    ),
    "arguments that are closed": (
        """{
  inputs = { n.url = "x";« sops-nix.url = "github:Mic92/sops-nix";» };
  outputs = { self, n«, sops-nix» }@inputs: { };
}
""",
        "sops-nix",
    ),
    "arguments that are closed, a line each": (
        """{
  inputs = { n.url = "x";« sops-nix.url = "github:Mic92/sops-nix";» };
  outputs = {
    self,
    n«,
    sops-nix»
  }: { };
}
""",
        "sops-nix",
    ),
    "arguments that are closed by a comma": (
        """{
  inputs = { n.url = "x";« sops-nix.url = "github:Mic92/sops-nix";» };
  outputs = {
    self,
    n, # last«
    sops-nix,»
  }: { };
}
""",
        "sops-nix",
    ),
    "arguments with commas in front": (
        """{
  inputs = { n.url = "x";« sops-nix.url = "github:Mic92/sops-nix";» };
  outputs =
    { self
    , n ? { a, b }: a # packages«
    , sops-nix»
    , ...
    }: { };
}
""",
        "sops-nix",
    ),
    "one argument with a comma in front of the rest": (
        """{
  inputs = { n.url = "x";« sops-nix.url = "github:Mic92/sops-nix";» };
  outputs =
    { n«
    , sops-nix»
    , ...
    }: { };
}
""",
        "sops-nix",
    ),
    "no argument but the rest": (
        """{
  inputs = { n.url = "x";« sops-nix.url = "github:Mic92/sops-nix";» };
  outputs = {« sops-nix,» ... }: { };
}
""",
        "sops-nix",
    ),
    "argument that waits for its input": (
        """{
  inputs = { n.url = "x";« sops-nix.url = "github:Mic92/sops-nix";» };
  outputs = { self, sops-nix, ... }@inputs: { };
}
""",
        "sops-nix",
    ),
    "there, but out of reach": (
        """{
  inputs.sops.url = "git+https://github.com/Mic92/sops-nix.git?ref=master";
  outputs = { self«, sops», ... }: { };
}
""",
        "sops",
    ),
}

COMPLETE = {
    "under its own name": (
        """{ inputs.sops-nix.url = "github:Mic92/sops-nix"; outputs = inputs: { }; }""",
        "inputs.sops-nix",
    ),
    "under another name": (
        """{ inputs = { sops = { url = "github:Mic92/sops-nix/56b2406"; }; };
        outputs = { self, ... }@all: { }; }""",
        "all.sops",
    ),
    "as an archive": (
        """{ inputs.secrets.url = "https://flakehub.com/f/Mic92/sops-nix/0.1.887.tar.gz";
        outputs = { secrets, ... }: { }; }""",
        "secrets",
    ),
    "as owner and repository": (
        """{ inputs.s = { type = "github"; owner = "Mic92"; repo = "sops-nix"; };
        outputs = inputs: { }; }""",
        "inputs.s",
    ),
    "by following another flake's": (
        """{ inputs = { a.url = "x"; sops.follows = "a/sops-nix"; }; outputs = i: { }; }""",
        "i.sops",
    ),
    "by its name, from elsewhere": (
        """{ inputs.sops-nix.url = "path:/home/x/fork"; outputs = i: { }; }""",
        "i.sops-nix",
    ),
    "with a bare address": (
        "{ inputs.s.url = github:Mic92/sops-nix; outputs = i: { }; }",
        "i.s",
    ),
    "under a name that needs quotes": (
        """{ inputs."sops.nix".url = "github:Mic92/sops-nix"; outputs = i: { }; }""",
        'i."sops.nix"',
    ),
}


@pytest.mark.parametrize(
    ("marked", "reference"), [pytest.param(*case, id=name) for name, case in FLAKES.items()]
)
def test_the_input_is_inserted_and_reached(marked: str, reference: str) -> None:
    before, after = unmarked(marked)
    assert_parses(before)

    result = add_flake_input(before)

    assert result.decode() == after.decode()
    assert_parses(result)
    assert sops_nix_reference(result) == reference
    assert add_flake_input(result) == result


@pytest.mark.parametrize(
    ("text", "reference"), [pytest.param(*case, id=name) for name, case in COMPLETE.items()]
)
def test_an_input_that_is_there_is_not_added_again(text: str, reference: str) -> None:
    content = text.encode()
    assert_parses(content)

    assert add_flake_input(content) == content
    assert sops_nix_reference(content) == reference


def test_an_input_that_another_flake_has_is_not_taken_for_its_own() -> None:
    content = b"""{
  inputs.a.inputs.sops-nix.follows = "b";
  inputs.b.url = "github:x/not-sops-nix";
  outputs = inputs: { };
}"""

    assert b'inputs.sops-nix.url = "github:Mic92/sops-nix";' in add_flake_input(content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"let x = 1; in { outputs = i: { }; }", id="not a set"),
        pytest.param(b"{ inputs = { }; }", id="no outputs"),
        pytest.param(b"{ outputs = import ./outputs.nix; }", id="outputs of another file"),
        pytest.param(b"{ inputs = import ./inputs.nix; outputs = i: { }; }", id="inputs of one"),
    ],
)
def test_another_shape_is_refused_with_what_to_add(content: bytes) -> None:
    assert_parses(content)

    with pytest.raises(NotUnderstood) as refused:
        add_flake_input(content)

    assert 'url = "github:Mic92/sops-nix";' in refused.value.text
    assert "flake" in refused.value.where


def test_an_input_whose_name_can_be_no_argument_is_left_to_a_person() -> None:
    content = b'{ inputs."sops.nix".url = "github:Mic92/sops-nix"; outputs = { ... }: { }; }'

    with pytest.raises(NotUnderstood):
        add_flake_input(content)


def test_a_reference_needs_the_input() -> None:
    with pytest.raises(NotUnderstood):
        sops_nix_reference(b"{ outputs = inputs: { }; }")
