{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs = inputs@{ nixpkgs, ... }: {
    nixosConfigurations = {
      hq = nixpkgs.lib.nixosSystem {
        modules = [
          {
            networking.hostName = "hq";
          }
        ];
      };
      t460 = nixpkgs.lib.nixosSystem { modules = [ { networking.hostName = "t460"; } ]; };
    };
  };
}
