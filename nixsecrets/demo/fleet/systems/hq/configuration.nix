# Desktop at home; runs Nextcloud.
{ inputs, ... }:
{
  imports = [
    ../../shared/base.nix
    ../../shared/nextcloud-server.nix
  ];

  networking.hostName = "nixhq";
  services.openssh.enable = true;

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
