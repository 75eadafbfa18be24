"""The parts of the benchmark. Each can be run alone, checks itself and says what its figures are."""
