"""``python -m promptcot``."""

from promptcot.cli import main

if __name__ == "__main__":
    main()
