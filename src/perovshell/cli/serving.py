"""Commands of the prediction service: serve, keys."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated

import typer

from perovshell.cli.options import JsonOption, WorkspaceOption, result
from perovshell.errors import MissingExtraError
from perovshell.workspace.folder import WorkspaceFolder

commands = typer.Typer()
keys_app = typer.Typer(no_args_is_help=True, help="API keys of the prediction service.")
commands.add_typer(keys_app, name="keys")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Who the key is for.")]


class LogLevel(StrEnum):
    """Levels of log lines."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@commands.command()
def serve(  # noqa: PLR0913
    *,
    host: Annotated[
        str, typer.Option(envvar="PEROVSHELL_HOST", help="Address to listen at.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            envvar="PEROVSHELL_PORT", min=0, max=65535, help="Port; 0 takes any free one."
        ),
    ] = 8000,
    model: Annotated[
        str | None,
        typer.Option(
            envvar="PEROVSHELL_MODEL",
            help="Model id, version, model folder or MLflow URI; else the champion.",
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    workers: Annotated[
        int,
        typer.Option(
            envvar="PEROVSHELL_WORKERS",
            min=1,
            max=64,
            help="Processes that answer requests, at most one a core.",
        ),
    ] = 1,
    rate: Annotated[
        float | None,
        typer.Option(
            envvar="PEROVSHELL_RATE", min=0.01, help="Maximum requests per second per client."
        ),
    ] = None,
    root_path: Annotated[
        str,
        typer.Option(
            envvar="PEROVSHELL_ROOT_PATH", help="Path prefix of a proxy, such as /perovshell."
        ),
    ] = "",
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            envvar="PEROVSHELL_INSECURE",
            help="Accept remote connections without an API key.",
        ),
    ] = False,
    log_level: Annotated[
        LogLevel, typer.Option(envvar="PEROVSHELL_LOG_LEVEL", help="Least level of log lines.")
    ] = LogLevel.INFO,
    access_log: Annotated[
        bool, typer.Option(envvar="PEROVSHELL_ACCESS_LOG", help="Log each request.")
    ] = True,
) -> None:
    """Serve predictions over HTTP, with a page for people at /.

    The champion of the workspace is served, and a newer one as soon as it is promoted. Log lines
    go to the error stream as JSON. Options may be set by the environment.
    """
    folder = WorkspaceFolder.locate(workspace)
    try:
        from perovshell.serve.service import server
        from perovshell.serve.service.app import Settings
        from perovshell.serve.service.keys import KeyRing
        from perovshell.serve.service.logs import log_config
        from perovshell.serve.service.source import Champion, Source
    except ImportError as error:
        msg = f"serving needs {error.name}: pip install 'perovshell[serve]'"
        raise MissingExtraError(msg) from error

    settings = Settings(KeyRing(folder.keys_file), rate=rate or math.inf, root_path=root_path)
    server.refuse_open_doors(host, settings, insecure=insecure)
    server.refuse_workers(workers)
    champion = Champion(Source(folder, model))
    champion.open()
    with server.listen(host, port) as listener:
        url = server.address(host, listener)
        typer.echo(f"Serving model {champion.served.model.info.model_id} at {url}", err=True)
        logs = log_config(log_level.value, requests=access_log)
        if workers == 1:
            server.run(champion, settings, listener, logs)
            return
        from perovshell.serve.service import supervisor

        supervisor.run(champion, settings, listener, logs, workers)


@keys_app.command("add")
def keys_add(
    name: NameArgument, *, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Make a key and print it, this once."""
    from perovshell.serve.service.keys import add_key

    key = add_key(WorkspaceFolder.locate(workspace), name)
    result([key], {"name": name, "key": key} if as_json else None)


@keys_app.command("list")
def keys_list(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Print the names of the keys."""
    from perovshell.serve.service.keys import Keys

    names = [*Keys.read(WorkspaceFolder.locate(workspace).keys_file).hashes]
    if names or as_json:
        result(names, {"keys": names} if as_json else None)


@keys_app.command("remove")
def keys_remove(
    name: NameArgument, *, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Remove a key; a running service refuses it at once."""
    from perovshell.serve.service.keys import remove_key

    remove_key(WorkspaceFolder.locate(workspace), name)
    result([f"Removed {name}"], {"removed": name} if as_json else None)
