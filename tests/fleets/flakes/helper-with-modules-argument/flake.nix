{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs =
    inputs@{ nixpkgs, ... }:
    let
      common = [ ./shared/base.nix ];
      mkHost =
        { system ? "x86_64-linux", modules }:
        nixpkgs.lib.nixosSystem {
          inherit system;
          modules = common ++ modules;
        };
    in
    {
      nixosConfigurations = {
        nixhq = mkHost { modules = [ ./systems/hq/configuration.nix ]; };
        guest = mkHost {
          system = "aarch64-linux";
          modules = [ { networking.hostName = "guest"; } ];
        };
      };
    };
}
