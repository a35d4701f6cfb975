"""`python -m fitlog`, the same as `fitlog`."""

from fitlog.cli import main

if __name__ == "__main__":
    main()
