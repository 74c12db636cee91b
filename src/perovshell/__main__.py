"""`python -m perovshell` is the command line."""

from perovshell.cli import main

if __name__ == "__main__":
    main()
