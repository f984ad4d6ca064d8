"""Child processes in which toolchains run: they crash, print and exit without taking the user along."""
