{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs = { self, nixpkgs, ... }@inputs: {
    nixosConfigurations = import ./hosts { inherit inputs nixpkgs; };
  };
}
