"""The process of one local model: llama.cpp behind the OpenAI wire format, on a loopback port.

Run as a file by `interlock.models.local`, never imported: it needs nothing of the package, so it
starts at once. It reads the API key as the first line of its standard input, chooses a free port,
writes one line of JSON to its standard output, and lives as long as its standard input stays open:
when its parent dies, however it dies, the kernel closes that pipe.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from typing import IO, Any, NoReturn


def main() -> NoReturn:
    """Serve the model of the command line until standard input closes or a signal says stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("--name", required=True)
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    # Ending by `os._exit` skips the destructors of the C++ threads, which can abort at exit.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    report = _private_stdout()
    try:
        server = _serve(options, sys.stdin.readline().strip())
    except (ImportError, RuntimeError) as error:
        _say(report, error=type(error).__name__, message=str(error))
        os._exit(1)
    _say(report, address=server.listening_address)
    sys.stdin.read()
    os._exit(0)


def _private_stdout() -> IO[str]:
    """Keep standard output for the report alone; llama.cpp writes its log to both streams."""
    report = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return report


def _say(report: IO[str], **line: str) -> None:
    report.write(json.dumps(line) + "\n")
    report.flush()


def _serve(options: argparse.Namespace, key: str) -> Any:
    # A spinning OpenMP pool starves everything else on a small machine, and itself with it.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = options.path
    parameters.model_alias = {options.name}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [key]
    parameters.n_ctx = options.context
    # One slot: the same prompt then gives the same answer, whatever else is asked meanwhile.
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = options.threads
    parameters.cpuparams_batch.n_threads = options.threads
    parameters.verbosity = 0
    parameters.ui = False
    return xllamacpp.Server(parameters)


if __name__ == "__main__":
    main()
