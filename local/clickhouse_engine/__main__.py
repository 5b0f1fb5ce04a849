"""Starts the server: `python -m clickhouse_engine --path DIR`."""

import argparse
import errno
import fcntl
import logging
import os
import signal
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

EXIT_FAILED, EXIT_USAGE, EXIT_PORT_TAKEN, EXIT_DIRECTORY_IN_USE = 1, 2, 3, 4
PASSWORD_VARIABLE, READER_PASSWORD_VARIABLE = "CLICKHOUSE_ENGINE_PASSWORD", "CLICKHOUSE_ENGINE_READER_PASSWORD"

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger("clickhouse_engine")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m clickhouse_engine",
        description="The HTTP interface of ClickHouse over an engine in this process (chdb-core).",
        epilog=f"With {PASSWORD_VARIABLE} set, the writer needs that password and may do everything, and `default` without a "
               "password may only read, from this machine only. Without it everybody may do everything. "
               f"With {READER_PASSWORD_VARIABLE} set too, `ctr_reader` may only read, with that password. "
               "Exit codes: 0 stopped by SIGTERM or SIGINT; 1 the engine failed, or queries still ran at the end of "
               "--stop-timeout; 2 usage; 3 the port is taken; 4 the directory belongs to another process.")
    parser.add_argument("--path", type=Path, required=True, help="data directory; created if missing")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8123, help="port to listen on, 0 for any free one (default %(default)s)")
    parser.add_argument("--tls-certificate", type=Path, metavar="FILE", help="serve https with this certificate (PEM, with its chain)")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="the certificate's key, if it is in a separate file")
    parser.add_argument("--writer-user", default="ctr_writer", metavar="NAME", help="the user with write access (default %(default)s)")
    parser.add_argument("--max-queries", type=int, default=16, metavar="N", help="maximum number of concurrent queries; others wait (default %(default)s)")
    parser.add_argument("--stop-timeout", type=float, default=30.0, metavar="SECONDS",
                        help="how long a stop waits for running queries (default %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="log every request")
    parsed = parser.parse_args(arguments)
    if not 0 <= parsed.port <= 65535:
        parser.error("--port must be between 0 and 65535")
    if parsed.max_queries < 1 or parsed.stop_timeout < 0:
        parser.error("--max-queries must be at least 1, --stop-timeout at least 0")
    if parsed.tls_key and not parsed.tls_certificate:
        parser.error("--tls-key requires --tls-certificate")
    parsed.path = parsed.path.absolute()
    if any(character in str(parsed.path) for character in "?&'\""):
        parser.error("--path must not contain any of ? & ' \" (chdb reads them as options)")
    return parsed


def own_directory(path: Path) -> TextIO:
    """Makes this process the owner of `path` until it exits. Raises BlockingIOError if another process is."""
    path.mkdir(parents=True, exist_ok=True)
    lock = open(path / "lock", "a+", encoding="ascii")  # held until the process ends
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def owner_of(path: Path) -> str:
    try:
        return (path / "lock").read_text(encoding="ascii").strip() or "unknown"
    except OSError:
        return "unknown"


def main() -> int:
    options = parse_arguments()
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        # Kept open but not used: closing it would release the directory.
        lock = own_directory(options.path)  # noqa: F841
    except BlockingIOError:
        log.error("%s is in use by process %s: stop it, or use another directory with --path", options.path, owner_of(options.path))
        return EXIT_DIRECTORY_IN_USE
    except OSError as failed:
        log.error("cannot use %s: %s", options.path, failed.strerror)
        return EXIT_FAILED
    return serve(options)


def serve(options: argparse.Namespace) -> int:
    started = time.monotonic()
    # Before the engine's threads are created, which inherit it: a signal for the process may go to any thread that does not
    # block it, and a Python handler runs only when the main thread happens to wake. Blocked in all threads, it stays pending
    # until the `sigwait` below.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        from .access import Access
        from .engine import Engine
        from .errors import EngineError
        from .server import Server
    except ImportError as missing:
        log.error("%s: install the engine with `pip install -r local/requirements.txt`", missing)
        return EXIT_USAGE
    access = Access(options.writer_user, os.environ.get(PASSWORD_VARIABLE) or None, os.environ.get(READER_PASSWORD_VARIABLE) or None)
    try:
        tls = tls_context(options)
    except OSError as failed:
        log.error("cannot use the certificate %s: %s", options.tls_certificate, failed)
        return EXIT_USAGE
    try:
        engine = Engine(options.path, options.max_queries)
    except EngineError as failed:
        log.error("the engine cannot open %s: %s", options.path, failed.text)
        return EXIT_FAILED
    try:
        server = Server((options.host, options.port), engine, access, tls)
    except OSError as failed:
        engine.close()
        return report_bind_failure(options, failed)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    log.info("ClickHouse %s (chdb) listens on %s://%s:%d/, data in %s, ready after %.2f s",
             engine.version, "https" if tls else "http", options.host, server.server_port, options.path, time.monotonic() - started)
    signal.sigwait(_STOP_SIGNALS)
    log.info("stopping: no new requests are accepted, running ones have %g s to finish", options.stop_timeout)
    if not server.stop(options.stop_timeout):
        log.error("queries were still running after %g s; they end without a response", options.stop_timeout)
        return EXIT_FAILED
    engine.close()
    log.info("stopped")
    return 0


def tls_context(options: argparse.Namespace) -> ssl.SSLContext | None:
    """The TLS context if https is configured. Raises OSError for files that cannot be read or do not match."""
    if not options.tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls_certificate, options.tls_key)
    return context


def report_bind_failure(options: argparse.Namespace, failed: OSError) -> int:
    if failed.errno == errno.EADDRINUSE:
        log.error("port %d on %s is in use by another process: stop it, or use another port with --port (CLICKHOUSE_PORT)",
                  options.port, options.host)
        return EXIT_PORT_TAKEN
    log.error("cannot listen on %s:%d: %s", options.host, options.port, failed.strerror)
    return EXIT_FAILED


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    # Threads of the engine and of aborted connections must not delay the exit; all data is on disk.
    os._exit(code)
