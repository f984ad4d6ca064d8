"""Boards and GPUs that nobody here owns: emulated Arm boards, and Mesa's lavapipe, from Debian's packages.

``python -m tests.boards --help`` makes them; tests take them from ``.boards/`` in the checkout.
"""
