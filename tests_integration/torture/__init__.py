"""A seeded run of many processes against the SQL engine, with faults, a history and an independent checker.

`schedule` decides everything before the start, `worker` and its roles are the load, `nemesis` plays the
faults, `history` is the only thing they share with `checker`, which reads a run's folder and nothing else.
"""
