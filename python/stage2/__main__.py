"""`python -m stage2` is the program `stage2`."""

from stage2.cli.main import main

if __name__ == "__main__":
    main()
