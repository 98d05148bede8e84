{ self, inputs, ... }:
let
  inherit (inputs.nixpkgs.lib) nixosSystem;
in
{
  flake.nixosConfigurations = {
    hq = nixosSystem {
      specialArgs = { inherit inputs; };
      modules = [ ./hq/configuration.nix ];
    };
    t460 = nixosSystem {
      modules = [ ./t460/configuration.nix ];
    };
  };
}
