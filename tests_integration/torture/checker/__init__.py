"""Judges a run by its history files alone: knows no engine, no database, no code of the package."""
