# Old laptop.
{ inputs, ... }:
{
  imports = [
    ../../shared/base.nix
    ../../shared/ssh.nix
  ];

  networking = {
    hostName = "nixt460";
    networkmanager.enable = true;
  };

  boot.loader.systemd-boot.enable = true;
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };

  home-manager = {
    extraSpecialArgs = { inherit inputs; };
    users.miscguy = import ./home.nix;
  };
}
