"""A PostgreSQL server for one suite, on the loopback interface. Its data is deleted with it."""

import contextlib
import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

DATABASE = "test"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def binaries() -> Path:
    """Return the folder of the newest server's programs. Debian does not put them in PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = versions[-1] if versions else shutil.which("initdb")
    if not found:
        raise RuntimeError("there is no initdb")
    return Path(found).parent


PORT = free_port()
URI = f"postgresql+asyncpg://scott:tiger@127.0.0.1:{PORT}/{DATABASE}"


@contextlib.contextmanager
def server():
    """Runs the server at PORT. It refuses to run as root, and then runs as the user postgres of Debian's package."""
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    as_user = {}
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = {
            "user": user.pw_uid,
            "group": user.pw_gid,
            "extra_groups": [g.gr_gid for g in grp.getgrall() if "postgres" in g.gr_mem],
        }

    def run(program, *arguments, user="scott"):
        return subprocess.run(
            [programs / program, *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=120,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PGUSER": user, "PGPASSWORD": "tiger"},
            **as_user,
        )

    password = folder / "password"
    password.write_text("tiger")
    password.chmod(0o644)
    process = None
    try:
        run(
            "initdb",
            "-D",
            folder / "data",
            "-U",
            "scott",
            "-A",
            "scram-sha-256",
            "--pwfile",
            password,
            "-E",
            "UTF8",
            "--no-sync",
        )
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                [
                    programs / "postgres",
                    "-D",
                    folder / "data",
                    "-p",
                    str(PORT),
                    "-k",
                    folder,
                    "-c",
                    "listen_addresses=127.0.0.1",
                    "-c",
                    "fsync=off",
                    "-c",
                    "max_prepared_transactions=10",
                    "-c",
                    "max_connections=100",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                **as_user,
            )
        for _ in range(100):
            with contextlib.suppress(subprocess.CalledProcessError):
                run("psql", "-h", "127.0.0.1", "-p", str(PORT), "-d", "postgres", "-c", f"create database {DATABASE}")
                break
            time.sleep(0.2)
        else:
            raise RuntimeError((folder / "log").read_text())
        # As SQLAlchemy's README.unittests.rst requires.
        run(
            "psql",
            "-h",
            "127.0.0.1",
            "-p",
            str(PORT),
            "-d",
            DATABASE,
            "-c",
            "create schema test_schema",
            "-c",
            "create schema test_schema_2",
            "-c",
            "create extension hstore",
            "-c",
            "create extension citext",
            "-c",
            f"alter database {DATABASE} set default_text_search_config='pg_catalog.english'",
        )
        yield
    finally:
        if process is not None:
            process.terminate()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
