"""TensorBoard: plain event files under ``out``/track/tensorboard, one folder for each run and each sweep.

Scalars are the curve and, at the last step, the results; the page *HPARAMS* compares runs by their settings. Nothing
ever leaves this machine. ``tensorboard --logdir outputs/track/tensorboard`` shows it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.text.metadata import create_summary_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto

from intdim.track.base import Entry, Outcome

FLUSH_SECONDS = 5


class TensorBoard:
    """Event files under a folder; entries of one project lie together."""

    def __init__(self, folder: Path, project: str) -> None:
        self.folder = folder / project
        self._writers: dict[str, EventFileWriter] = {}
        self._last: dict[str, int] = {}  # step of the last line, by entry

    def begin(self, entry: Entry) -> None:
        """Begin an event file in place of one that was left unfinished."""
        where = self.folder / f"{entry.kind}s" / entry.name
        shutil.rmtree(where, ignore_errors=True)
        self._writers[entry.name] = EventFileWriter(str(where), flush_secs=FLUSH_SECONDS)
        settings = {name: value for name, value in entry.settings.items() if value != ""}
        self._add(entry, hparams_pb(settings, trial_id=entry.name, start_time_secs=time.time()))

    def log(self, entry: Entry, step: int, values: Mapping[str, float]) -> None:
        """Add scalars."""
        self._last[entry.name] = max(step, self._last.get(entry.name, 0))
        made = [Summary.Value(tag=f"curve/{name}", simple_value=value) for name, value in values.items()]
        self._add(entry, Summary(value=made), step)

    def end(self, entry: Entry, outcome: Outcome) -> None:
        """Add the results and close the file."""
        step = self._last.pop(entry.name, 0)
        made = [Summary.Value(tag=f"result/{name}", simple_value=value) for name, value in outcome.numbers.items()]
        self._add(entry, Summary(value=made), step)
        for name, text in outcome.words.items():
            about = create_summary_metadata(display_name=name, description="")
            value = Summary.Value(tag=f"result/{name}", metadata=about, tensor=make_tensor_proto([text]))
            self._add(entry, Summary(value=[value]), step)
        self._add(entry, ended(outcome))
        self._writers.pop(entry.name).close()

    def close(self) -> None:
        """Write what is buffered."""
        for writer in self._writers.values():
            writer.close()

    def _add(self, entry: Entry, summary: Summary, step: int = 0) -> None:
        self._writers[entry.name].add_event(Event(wall_time=time.time(), step=step, summary=summary))


def ended(outcome: Outcome) -> Summary:
    """Return what tells the page *HPARAMS* how a run ended."""
    status = api_pb2.STATUS_FAILURE if outcome.failed else api_pb2.STATUS_SUCCESS
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    return Summary(
        value=[Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)]
    )


def open_tracker(folder: Path, project: str, online: bool) -> TensorBoard:
    """Return a tracker that writes event files; it has no use for the network."""
    return TensorBoard(folder, project)
