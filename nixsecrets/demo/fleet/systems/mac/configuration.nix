# An old machine that is rebuilt from channels.
{
  imports = [
    <home-manager/nixos>
    ../../shared/base.nix
    ../../shared/ssh.nix
  ];

  networking.hostName = "nixmac";

  boot.loader.systemd-boot.enable = true;
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };

  home-manager.users.miscguy = import ./home.nix;
}
