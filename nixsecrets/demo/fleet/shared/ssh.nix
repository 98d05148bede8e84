# Machines that are reached over the network.
{
  services.openssh = {
    enable = true;
    settings.PasswordAuthentication = false;
  };
}
