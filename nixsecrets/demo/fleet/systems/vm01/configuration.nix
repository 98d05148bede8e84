# A virtual machine without sshd and without a flake.
{ modulesPath, ... }:
{
  imports = [
    (modulesPath + "/profiles/qemu-guest.nix")
    <home-manager/nixos>
    ../../shared/base.nix
  ];

  networking.hostName = "vm01";

  boot.loader.grub.device = "/dev/vda";
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };

  home-manager.users.miscguy = import ./home.nix;
}
