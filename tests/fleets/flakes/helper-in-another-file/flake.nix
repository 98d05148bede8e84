{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs = { nixpkgs, ... }@inputs:
    let
      mkSystem = import ./lib/mkSystem.nix { inherit inputs nixpkgs; };
    in
    {
      nixosConfigurations.hq = mkSystem "hq" { user = "ann"; };
      nixosConfigurations.t460 = mkSystem "t460" { user = "bob"; };
    };
}
