{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs = { self, ... }@args: {
    nixosConfigurations = builtins.listToAttrs (
      map (name: {
        inherit name;
        value = args.nixpkgs.lib.nixosSystem {
          modules = [ "${self}/systems/${name}/configuration.nix" ];
        };
      }) [ "hq" "t460" ]
    );
  };
}
