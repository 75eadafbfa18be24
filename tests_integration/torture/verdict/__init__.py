"""The independent checker of a torture run: a folder in, a verdict out.

It imports nothing of the library and nothing of the harness. What it reads is written down in `shapes`.
"""
