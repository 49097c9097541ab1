"""Records a Dask cluster: ``with gilscope.dask.profile(client, "cluster.gilscope"): …``.

Workers load this package, too. So it imports neither distributed nor the reader side by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilscope.errors import UsageError

if TYPE_CHECKING:
    import os
    from contextlib import AbstractContextManager

    from distributed import Client

    from gilscope.dask.cluster import Recorded

__all__ = ["profile"]


def profile(
    client: Client, path: str | os.PathLike[str], **options: Any
) -> AbstractContextManager[Recorded]:
    """Record all workers of a Dask cluster in one trace, ``path``, while the block runs.

    Workers that join meanwhile are recorded from then on. Tasks are spans on the lanes of the
    threads that run them. When the block ends, also by an exception, the traces come by the
    cluster's own connections, are put on the clock of this host and become one. What is missing,
    such as a worker that died, is among the ``problems`` of the trace.

    Args:
        client: of the cluster; not an asynchronous one.
        path: The trace file; an earlier trace there is replaced.
        **options: Those of `gilscope.profile`, for each worker, and ``sample``, ``on_hang``.

    Raises:
        UsageError: distributed is not installed, the client is an asynchronous one, an option is
            out of range, or the file exists and is not a trace.
        GilscopeError: No worker can be recorded, and why.
    """
    try:
        from gilscope.dask.cluster import recording  # noqa: PLC0415 - distributed is loaded on demand
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "distributed":
            raise
        raise UsageError(
            "gilscope.dask needs distributed, which is not installed: pip install distributed"
        ) from None
    return recording(client, path, **options)
