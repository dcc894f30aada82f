"""The commands: ``python -m scripts.<command> --help`` explains each with an example."""
