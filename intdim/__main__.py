"""``python -m intdim`` is the command ``intdim``."""

from intdim.cli.main import main

if __name__ == "__main__":
    main()
