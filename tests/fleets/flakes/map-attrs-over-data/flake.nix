{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs = inputs: with inputs.nixpkgs.lib;
    let
      hosts = {
        hq = { system = "x86_64-linux"; modules = [ ./roles/desktop.nix ]; };
        t460 = { system = "x86_64-linux"; modules = [ ./roles/laptop.nix ]; };
      };
    in
    {
      nixosConfigurations = mapAttrs (
        name: host:
        nixosSystem {
          inherit (host) system;
          modules = [ (./systems + "/${name}/configuration.nix") ] ++ host.modules;
        }
      ) hosts;
    };
}
