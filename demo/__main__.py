"""`make demo`: run the support copilot on this machine, from the customer's message to the reply."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from demo.processes import NotReady, Worker, payment_service
from demo.story import Ending, tell
from interlock.cli.failures import USAGE, exit_code, report, show
from interlock.cli.leaving import leave
from interlock.cli.output import Output
from interlock.connection import connect, data_folder, note_server
from interlock.errors import InterlockError
from interlock.models.catalogue import ModelFile
from interlock.models.files import list_files, pull
from interlock.runs.client import Runs
from interlock.server import running_server
from interlock.settings import Settings, load_settings
from tools.service.seed import seed

_ROOT = Path(__file__).parents[1]
_NOBODY = (
    "the demo stops at a refund that a person has to approve, and there is no terminal to ask at. "
    'Run it at a terminal, or let it approve by itself: make demo ARGS="--yes".'
)


def main() -> None:
    """Parse the options, run the demo and exit 0 when the case was completed.

    Without a terminal it approves nothing unless it is told to: then it starts nothing and exits 2.
    """
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="approve without asking, and end")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    options = parser.parse_args()
    if not options.yes and not sys.stdin.isatty():
        report("USAGE", _NOBODY, {}, as_json=options.json)
        sys.exit(USAGE)
    os.chdir(_ROOT)
    leave(_run(Output(options.json), unattended=options.yes))


def _run(out: Output, *, unattended: bool) -> int:
    try:
        ending = asyncio.run(_demo(out, unattended=unattended))
    except InterlockError as error:
        show(error, as_json=out.as_json)
        return exit_code(error)
    except NotReady as error:
        out.note(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0 if ending.status == "completed" and ending.refunds == 1 else 1


async def _demo(out: Output, *, unattended: bool) -> Ending:
    settings = load_settings(_ROOT)
    folder = data_folder(settings)
    shop = folder / "shop"
    _pull_models(out, settings)
    async with AsyncExitStack() as stack:
        with out.working("starting Temporal, the shop's CRM and its payment service"):
            server = await stack.enter_async_context(
                running_server(folder / "temporal.db", ui=True)
            )
            note_server(settings, server.address, server.ui)
            stack.callback(note_server, settings, None)
            os.environ["SHOP_CRM_URL"] = f"sqlite+aiosqlite:///{shop / 'crm.db'}"
            payments = await stack.enter_async_context(payment_service(shop))
            await seed(datetime.now(UTC).date())
        out.say(f"Temporal {server.address}, its web UI {server.ui}")
        worker = Worker(
            {"INTERLOCK_TEMPORAL__ADDRESS": server.address, "SHOP_PAYMENTS_URL": payments},
            folder / "worker.log",
        )
        with out.working("starting a worker; the first one reads the knowledge documents"):
            stack.push_async_callback(worker.stop)
            await worker.start()
        out.say(f"Worker pid {worker.pid} polls.")
        here = settings.model_copy(
            update={"temporal": settings.temporal.model_copy(update={"address": server.address})}
        )
        runs = Runs(here, await connect(here))
        ending, outcome = await tell(out, runs, worker, payments, unattended=unattended)
        if outcome.error is not None:
            raise outcome.error
        _close(out, ending, runs)
        if out.is_interactive and not unattended:
            await asyncio.to_thread(input, "Everything still runs. Press Enter to stop it. ")
    return ending


def _pull_models(out: Output, settings: Settings) -> None:
    wanted = [
        item for item in list_files(settings.models_dir) if item.file.name != "qwen2.5-coder-1.5b"
    ]
    if all(item.state == "present" for item in wanted):
        return
    shown: set[str] = set()

    def progress(file: ModelFile, _done: int) -> None:
        if file.name not in shown:
            shown.add(file.name)
            out.say(f"Pulling {file.name}, {file.size / 1e6:.0f} MB, {file.licence}")

    with out.working("pulling and verifying model files"):
        pull(("default",), settings.models_dir, progress)


def _close(out: Output, ending: Ending, runs: Runs) -> None:
    source = {
        "draft": "written by the model, checked",
        "template": "an honest template: the model's draft did not pass the check",
        "human": "written by a person",
    }
    out.answer(
        ending,
        "",
        f"Reply ({source.get(ending.reply_source, ending.reply_source)}):",
        ending.reply,
        "",
        f"{ending.status}: {ending.approvals} approval, {ending.refunds} refund in the payment "
        f"service, {ending.worker_kills} worker killed, model {ending.model}.",
        "",
        "Where to look next:",
        f"  {runs.link(ending.workflow_id)}",
        f"  .venv/bin/interlock show {ending.workflow_id}      every step with inputs and outputs",
        f"  .venv/bin/interlock replay {ending.workflow_id}    does today's code take the same path?",
        "  (while this demo runs, or after `.venv/bin/interlock up`)",
    )


if __name__ == "__main__":
    main()
