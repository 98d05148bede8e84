"""`python -m nixsecrets`."""

from nixsecrets.cli import main

if __name__ == "__main__":
    main()
