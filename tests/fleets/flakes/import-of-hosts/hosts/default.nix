{ nixpkgs, inputs, ... }:
let
  system = "x86_64-linux";
in
{
  hq = nixpkgs.lib.nixosSystem {
    inherit system;
    modules = [
      ./hq/configuration.nix # the desktop
    ];
  };
  t460 = nixpkgs.lib.nixosSystem {
    inherit system;
    modules = [ ./t460/configuration.nix ];
  };
}
