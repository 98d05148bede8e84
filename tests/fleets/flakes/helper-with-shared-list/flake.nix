{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs =
    { nixpkgs, ... }@inputs:
    let
      mkHost =
        name:
        nixpkgs.lib.nixosSystem {
          specialArgs = { inherit inputs; };
          modules = [
            ./shared/base.nix
            ./systems/${name}/configuration.nix
          ];
        };
    in
    {
      nixosConfigurations = {
        nixhq = mkHost "hq";
        nixt460 = mkHost "t460";
      };
    };
}
