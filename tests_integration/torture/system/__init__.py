"""The torture run of the real system: producers, `pgqueue consume`, pooler, proxies, faults; judged by `verdict`.

`schedule` decides everything before the start. `ground` is what the run stands on (server, pooler, wires), `crew`
its processes, `producer` and `tasks` the load, `nemesis` plays the faults, `observer` samples, `run` holds them
together. `controls` breaks the system on purpose: the checker has to notice.
"""
