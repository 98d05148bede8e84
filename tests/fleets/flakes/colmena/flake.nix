{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs = { nixpkgs, ... }@inputs: {
    colmena = {
      meta = {
        nixpkgs = nixpkgs;
        specialArgs = { inherit inputs; };
      };
      defaults = { ... }: { imports = [ ./shared/base.nix ]; };
      hq = { name, nodes, ... }: {
        deployment.targetHost = "hq";
        imports = [ ./systems/hq/configuration.nix ];
      };
      t460 = {
        deployment.targetHost = "t460";
      };
      t15g = ./systems/t15g/configuration.nix;
    };
  };
}
