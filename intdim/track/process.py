"""The process that a tracker works in: reads ids on its standard input, says after each that it was dealt with.

``python -m intdim.track.process REQUEST OUT`` is started by ``intdim.track.sender``. What a tracker prints goes to the
log of the process, not to the terminal of the command.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from pathlib import Path

from intdim.launch.worker import Reporter
from intdim.request import TrackRequest
from intdim.spec import from_dict
from intdim.track.base import open_tracker
from intdim.track.feed import Feed, folder_of, marks_of

DONE, REFUSED = "done", "refused"  # kinds of answers
LAST_SECONDS = 60.0  # after the command has gone or closed the input: then the process ends, whatever the tracker does
LONGEST = 200  # characters of what is said of an error


def listen() -> queue.Queue[list[str] | None]:
    """Return a queue that a thread fills with messages from standard input, and with None at its end."""
    source = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # a tracker that asks for a password finds an empty input
    os.close(nothing)
    messages: queue.Queue[list[str] | None] = queue.Queue()

    def read() -> None:
        for line in source:
            if line.endswith(b"\n"):  # else the command died while it wrote
                messages.put(json.loads(line))
        messages.put(None)
        threading.Event().wait(LAST_SECONDS)
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    return messages


def main(request: TrackRequest, out: Path) -> int:
    """Feed the tracker until the input ends; return the exit status."""
    descriptor = os.environ.pop("INTDIM_EVENT_FD", "")
    if not descriptor:
        sys.exit("intdim.track.process is started by the commands that need it, not by hand")
    reporter, messages = Reporter(int(descriptor)), listen()
    try:
        folder = folder_of(request, out)
        folder.mkdir(parents=True, exist_ok=True)
        marks_of(request, out).mkdir(parents=True, exist_ok=True)
        tracker = open_tracker(request, folder)
        feed = Feed(tracker, out, marks_of(request, out))
        while (message := messages.get()) is not None:
            feed.take(*message)
            reporter.send(DONE)
        tracker.close()
    except BaseException as error:  # trackers end the process in their own ways, SystemExit among them
        traceback.print_exc()
        said = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST]
        reporter.send(REFUSED, data={"message": said})
        return 1
    return 0


if __name__ == "__main__":
    status = main(from_dict(TrackRequest, json.loads(sys.argv[1])), Path(sys.argv[2]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # what a tracker left running does not hold the process back
