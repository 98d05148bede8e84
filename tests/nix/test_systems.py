import pytest

from nixsecrets.nix.edit import NotUnderstood, System, add_module, find_systems, has_module
from tests.nix.real import assert_parses, unmarked

SOPS = "inputs.sops-nix.nixosModules.sops"

FLEET = """{
  outputs = { self, nixpkgs, ... }@inputs:
    let
      system = "x86_64-linux";
      common = [ ./common.nix ];
    in
    {
      nixosConfigurations.nixhq = nixpkgs.lib.nixosSystem {
        inherit system;
        specialArgs = { inherit inputs; };
        modules = [
          ./systems/hq/configuration.nix
          inputs.home-manager.nixosModules.home-manager
          { home-manager.users.x = import ./systems/hq/home.nix; }«
          inputs.sops-nix.nixosModules.sops»
        ];
      };
      nixosConfigurations."nix.t460" = inputs.nixpkgs.lib.nixosSystem {
        modules = common ++ [ ./systems/t460/configuration.nix ./b.nix ];
      };
      computed = builtins.mapAttrs (_: nixpkgs.lib.nixosSystem) { };
    };
}
"""

# What is inserted stands between « and ».
SHAPES = {
    "dotted": FLEET,
    "a set of systems": """{
  outputs = { nixpkgs, ... }@inputs: {
    nixosConfigurations = {
      # the desktop
      "nixhq" = nixpkgs.lib.nixosSystem {
        modules = [ ./hq« inputs.sops-nix.nixosModules.sops» ];
      };
      other = nixpkgs.lib.nixosSystem { modules = [ ./other ]; };
    };
  };
}
""",
    "merged sets of systems": """{
  outputs = inputs: with inputs.nixpkgs; {
    nixosConfigurations = (import ./more.nix) // {
      nixhq = lib.nixosSystem rec { modules = [« inputs.sops-nix.nixosModules.sops» ]; };
    };
  };
}
""",
    "below flake-parts": """{
  outputs = inputs@{ flake-parts, ... }: flake-parts.lib.mkFlake { inherit inputs; } {
    systems = [ "x86_64-linux" ];
    flake = {
      nixosConfigurations.nixhq = inputs.nixpkgs.lib.nixosSystem ({
        modules = [
          ./a.nix # the machine«
          inputs.sops-nix.nixosModules.sops»
        ];
      });
    };
  };
}
""",
    "let around, a name for the modules": """{
  outputs = { nixpkgs, ... }@inputs:
    let inherit (nixpkgs.lib) nixosSystem;
    in {
      nixosConfigurations.nixhq = let a = 1; in nixosSystem {
        modules = import ./modules.nix« ++ [ inputs.sops-nix.nixosModules.sops ]»;
      };
    };
}
""",
    "with": """{
  outputs = inputs: {
    nixosConfigurations.nixhq = inputs.nixpkgs.lib.nixosSystem {
      modules = with inputs; [
        disko.nixosModules.disko

        ./a.nix«
        inputs.sops-nix.nixosModules.sops»
      ];
    };
  };
}
""",
}


@pytest.mark.parametrize("marked", [pytest.param(text, id=name) for name, text in SHAPES.items()])
def test_the_module_is_inserted_and_nothing_else(marked: str) -> None:
    before, after = unmarked(marked)
    assert_parses(before)

    result = add_module(before, "nixhq", SOPS)

    assert result.decode() == after.decode()
    assert_parses(result)
    assert not has_module(before, "nixhq", SOPS)
    assert has_module(result, "nixhq", SOPS)
    assert add_module(result, "nixhq", SOPS) == result


def test_systems_are_found_with_the_paths_of_their_modules() -> None:
    before, _ = unmarked(FLEET)

    assert find_systems(before) == (
        System("nixhq", ("./systems/hq/configuration.nix",), 8, inputs=None),
        System("nix.t460", ("./common.nix", "./systems/t460/configuration.nix", "./b.nix"), 17),
    )


def test_only_systems_of_known_names_and_builders_are_found() -> None:
    content = b"""{ outputs = { nixpkgs, self }: {
      nixosConfigurations = builtins.mapAttrs (n: _: nixpkgs.lib.nixosSystem { }) { a = 1; };
      nixosConfigurations.${x} = nixpkgs.lib.nixosSystem { modules = [ ./x ]; };
      nixosConfigurations.b = mkHost { modules = [ ./b ]; };
      nixosConfigurations.c.d = nixpkgs.lib.nixosSystem { modules = [ ./d ]; };
      darwinConfigurations.e = nixpkgs.lib.nixosSystem { modules = [ ./e ]; };
      "nixosConfigurations.f" = nixpkgs.lib.nixosSystem { modules = [ ./f ]; };
    }; }"""

    assert [system.attribute for system in find_systems(content)] == ["a"]


@pytest.mark.parametrize(
    "modules",
    [
        "[ inputs.sops-nix.nixosModules.sops ]",
        "[ sops-nix.nixosModules.sops ]",
        "[ inputs.sops.nixosModules.sops ]",
        "[ inputs.sops-nix.nixosModules.default ]",
        "with inputs; [ ./a.nix sops-nix.nixosModules.sops ]",
        "[ { imports = [ inputs.sops-nix.nixosModules.sops ]; } ]",
    ],
)
def test_a_module_that_is_there_is_not_added_again(modules: str) -> None:
    content = f"""{{ outputs = {{ nixpkgs, ... }}@inputs: {{
      nixosConfigurations.nixhq = nixpkgs.lib.nixosSystem {{ modules = {modules}; }};
    }}; }}""".encode()

    assert has_module(content, "nixhq", SOPS)
    assert add_module(content, "nixhq", SOPS) == content


def test_any_module_is_found_by_its_text() -> None:
    before, _ = unmarked(FLEET)

    assert has_module(before, "nix.t460", "./b.nix")
    assert not has_module(before, "nixhq", "./b.nix")
    assert not has_module(before, "nixt15g", "./b.nix")


@pytest.mark.parametrize(
    ("bound", "why"),
    [
        pytest.param("nixt460 = nixosSystem { modules = [ ]; };", "not one literal", id="no such"),
        pytest.param("nixhq = mkHost { modules = [ ]; };", "not one literal", id="own function"),
        pytest.param(
            "nixhq = nixosSystem (f { modules = [ ]; });", "no list of modules", id="call"
        ),
        pytest.param("nixhq = nixosSystem { };", "no list of modules", id="no modules"),
        pytest.param(
            "nixhq = nixosSystem { inherit modules; };", "no list of modules", id="inherited"
        ),
        pytest.param(
            "nixhq = nixosSystem { modules = if x then [ ] else [ ]; };", "not understood", id="if"
        ),
    ],
)
def test_another_shape_is_refused_with_what_to_add(bound: str, why: str) -> None:
    arguments = "{ f, mkHost, modules, nixosSystem, x, ... }"
    content = f"{{ outputs = {arguments}: {{ nixosConfigurations.{bound} }}; }}".encode()
    assert_parses(content)

    with pytest.raises(NotUnderstood, match=why) as refused:
        add_module(content, "nixhq", SOPS)

    assert refused.value.text == SOPS
    assert refused.value.where == "to the `modules` of nixosConfigurations.nixhq"
