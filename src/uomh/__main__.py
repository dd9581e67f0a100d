"""``python -m uomh`` is the command ``uomh``."""

from uomh.cli import main

if __name__ == "__main__":
    main()
