"""Writes Tests/Reference/fixtures/reporting/events.tfevents with the `tensorboard` package: what Meno's own writer must
write, byte for byte, for the same events at the same time.

    python Tests/Reference/make_tensorboard.py
"""
import pathlib

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

folder = pathlib.Path(__file__).parent / "fixtures/reporting"
folder.mkdir(parents=True, exist_ok=True)
time = 1.75e9


def summary(step, **values):
    return Event(wall_time=time, step=step, summary=Summary(
        value=[Summary.Value(tag=tag.replace("__", "/"), simple_value=value) for tag, value in values.items()]))


with open(folder / "events.tfevents", "wb") as file:
    writer = RecordWriter(file)
    for event in [
        Event(wall_time=time, step=0, file_version="brain.Event:2"),
        Event(wall_time=time, step=300, session_log=SessionLog(status=SessionLog.START)),
        summary(300, train__loss=2.5, train__grad_norm=1.25, train__learning_rate=0.0002, train__epoch=1.5,
                train__tokens_per_second=100.0),
        summary(300, eval__loss=2.0, eval__perplexity=7.38905609893065, eval__token_accuracy=0.5, eval__runtime=3.0),
        summary(300, memory__resident_mib=1024.0, memory__gpu_0_mib=512.0),
    ]:
        writer.write(event.SerializeToString())
    writer.flush()
