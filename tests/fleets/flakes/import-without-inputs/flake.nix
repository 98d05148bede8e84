{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs = { self, nixpkgs, ... }@inputs: {
    nixosConfigurations.hq = import ./hosts/hq.nix {
      inherit (nixpkgs) lib;
      specialArgs = { inherit inputs; };
    };
  };
}
