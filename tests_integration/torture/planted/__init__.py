"""Planted mutants: the system broken in one place each, under the real harness. The checker has to find every one."""
