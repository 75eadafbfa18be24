"""Programs that the harness starts: senders and workers of each system, each in a process of its own."""
