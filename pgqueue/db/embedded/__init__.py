"""A real Postgres without a DSN: started on demand, shared by all processes of the user, stopped when idle.

`ensure()` joins the shared server and returns a connection string; `start`, `stop`, `status` and `dsn` are
the verbs of the command line. `Cluster` is a private server for tests and tools.

Modules, top to bottom: door (sharing), lease and reaper, cluster (one data directory), creation, reachable
and connect, then postmaster, locks, places, identity and binaries. POSIX only. The driver is loaded only
where a connection is opened.
"""

from pgqueue.db.embedded.binaries import Binaries, find_binaries
from pgqueue.db.embedded.cluster import Cluster
from pgqueue.db.embedded.door import EmbeddedStatus, dsn, ensure, start, status, stop
from pgqueue.db.embedded.places import scratch_directory

__all__ = [
    "Binaries",
    "Cluster",
    "EmbeddedStatus",
    "dsn",
    "ensure",
    "find_binaries",
    "scratch_directory",
    "start",
    "status",
    "stop",
]
