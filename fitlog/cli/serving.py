"""`fitlog serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from fitlog.endings import user_errors

# A training on the same machine should not be slowed down by being looked at: of so much time, it
# takes one part.
_REST: Final = 20


def serve(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where runs and logs are looked for.")
    ],
    host: Annotated[
        str, typer.Option(help="The address to listen at; others than this machine's see it then.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes one that is free.")] = 8765,
) -> None:
    """Show the runs of a folder in a browser, as they go on; ends with Ctrl-C.

    The page is that of `fitlog report`; new points come by themselves.
    """
    with user_errors():
        import contextlib
        import datetime
        import time

        from fitlog.follow import until_interrupted
        from fitlog.printable import printable
        from fitlog.report.charts import library_script
        from fitlog.report.live import LiveFolder
        from fitlog.report.server import LiveServer

        library_script()
        now = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
        live = LiveFolder(folder, now)
        with LiveServer(host, port, live) as server, contextlib.closing(live):
            live.poll()
            typer.echo(f"{printable(server.url)} (Ctrl-C ends it)")
            with server.answering(), until_interrupted() as wait:
                due = 0.0
                while wait():
                    if time.monotonic() < due:
                        continue
                    began = time.process_time()
                    live.poll()
                    due = time.monotonic() + _REST * (time.process_time() - began)
