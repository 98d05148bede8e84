{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  inputs.colmena.url = "github:zhaofengli/colmena";
  outputs = { self, nixpkgs, colmena, ... }@inputs: {
    colmenaHive = colmena.lib.makeHive {
      meta.nixpkgs = nixpkgs;
      hq = { imports = [ ./systems/hq/configuration.nix ]; };
    };
    nixosConfigurations.hq = nixpkgs.lib.nixosSystem {
      modules = [ ./systems/hq/configuration.nix ];
    };
  };
}
