# Nextcloud with its own database; its passwords come from nixsecrets.
{ pkgs, ... }:
{
  services.nextcloud = {
    enable = true;
    package = pkgs.nextcloud31;
    hostName = "cloud.example.org";
    database.createLocally = true;
    config = {
      dbtype = "pgsql";
      adminuser = "admin";
    };
  };

  networking.firewall.allowedTCPPorts = [
    80
    443
  ];
}
