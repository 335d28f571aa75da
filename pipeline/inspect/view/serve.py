"""The viewer as a server on this machine alone. The only importer of uvicorn."""

import secrets
import socket
from collections.abc import Callable

import uvicorn

from pipeline.errors import ConfigError, first_line
from pipeline.inspect.view.app import application
from pipeline.inspect.view.source import Source

HOST = "127.0.0.1"


def serve(source: Source, port: int, begun: Callable[[str], None], token: str = "") -> None:
    """Show a store until Ctrl-C.

    Parameters
    ----------
    source : Source
    port : int
        0: any that is free.
    begun : callable
        Called with the page's address once it can be opened.
    token : str
        Part of the address that nobody else knows; empty: a new one.

    Raises
    ------
    ConfigError
        The port is not free.
    """
    token = token or secrets.token_urlsafe(16)
    app = application(source, token)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise ConfigError(f"Port {port} cannot be used ({first_line(error)}); choose another --port.") from error
        place.listen()  # from here on the page can be opened
        begun(f"http://{HOST}:{place.getsockname()[1]}/{token}/")
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="off", ws="none"))
        server.run(sockets=[place])
