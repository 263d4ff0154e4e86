"""Everything of the course that needs a GPU, in one command of ten minutes: ``make gpu``.

``plan.py`` has the pieces, their order and their budgets. ``pieces.py`` does the work of one piece
in a process of its own. ``results.py`` is what comes back, and ``take.py`` puts into the repository
what is better. A machine without a network gets missing packages from ``pack.py``.
"""
