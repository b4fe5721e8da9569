"""The folders that a cut may leave of a recorded run, each with what had been promised by then."""
import re

from disk import Disk, ONLY_WRITTEN, UNREAD, fault_of_checkpoint, key

CHECKPOINT = re.compile(r"run/model/(?:stable_)?checkpoint-\d+")


class Promises:
    """Checkpoints that were on the disk by their names, and that nobody has begun to remove."""

    def __init__(self, tree):
        self.announced = {path: {path} for path in tree if CHECKPOINT.fullmatch(path) and not fault_of_checkpoint(tree, path)}
        self.named = set()

    def see(self, operation):
        call, path, other = operation[:3]
        if call == "rename":
            places = self.announced.pop(path, None)
            if places and not other.endswith(".removed"):
                self.announced[other] = places | {other}
            if CHECKPOINT.fullmatch(other) and not places:
                self.named.add(other)
        elif call == "unlink":
            self.announced.pop(path.rsplit("/", 1)[0], None)
        elif call == "fsync" and path == "run/model":
            for name in self.named:
                self.announced[name] = {name}
            self.named = set()

    def lost(self, tree):
        """Those of which no whole copy is left."""
        return [name for name, places in self.announced.items() if all(fault_of_checkpoint(tree, place) for place in places)]

    def newest(self):
        """The step that a resumed run must not begin before."""
        steps = [re.fullmatch(r"run/model/checkpoint-(\d+)", place) for places in self.announced.values()
                 for place in places if not any("abandoned_" in place for place in places)]
        return max([int(match[1]) for match in steps if match], default=0)


def cuts(base, operations):
    """Every tree once, by what a resumed run can tell apart: (how it came to be, tree, promises lost, least step).

    A kill leaves a prefix of the operations. A power loss leaves what is durable and any part of what is pending. Of those
    parts, tried are: nothing; names alone; bytes alone; names with zeros for bytes; each prefix, also with its last write cut
    in half; all but one; and one alone. Pending parts are largest just before a sync and at the end: only there they are taken.
    """
    disk, promises, seen = Disk(base), Promises(base), set()
    counts = {"operations": len(operations), "prefixes": 0, "power losses": 0}

    def take(how, tree):
        counts["power losses" if "power" in how else "prefixes"] += 1
        lost, least = promises.lost(tree), promises.newest()
        identity = (key(tree), tuple(lost), least)
        if identity in seen:
            return []
        seen.add(identity)
        return [(how, tree, lost, least)]

    found = take("before anything", disk.tree())
    for index, operation in enumerate([*operations, None]):
        if operation is None or operation[0] == "fsync" and disk.secured(operation[3]):
            what = "at the end" if operation is None else f"before fsync {operation[1]}"
            for how, tree in power_losses(disk):
                found += take(f"power loss {what} ({index}): {how}", tree)
        if operation is None:
            break
        changes = len(disk.effects)
        disk.do(operation)
        promises.see(operation)
        if len(disk.effects) > changes:
            found += take(f"kill after {operation[0]} {operation[2] or operation[1]} ({index})", disk.tree())
    return found, counts


def power_losses(disk):
    durable, pending = disk.durable, disk.pending()
    effect = lambda number: disk.effects[number]
    names = {number for number in pending if effect(number)[0] == "name"}
    rest = set(pending) - names
    yield "nothing pending is there", disk.tree(durable)
    yield "names without bytes", disk.tree(durable | names)
    yield "names with zeros for bytes", disk.tree(durable | names, zeros=True)
    yield "bytes without names", disk.tree(durable | rest)
    paths = {node: what[1] for what in disk.effects if what[0] == "name" for _, node in what[2:] if node is not None}

    def path(number):
        what = effect(number)
        return what[1] if what[0] == "name" else paths[what[1]]

    relevant = [number for number in pending if not ONLY_WRITTEN.fullmatch(path(number)) and not UNREAD.fullmatch(path(number))
                and not path(number).endswith("events.jsonl")]
    ignored = set(pending) - set(relevant)
    for position, number in enumerate(relevant):
        before = set(relevant[:position + 1])
        yield f"up to {effect(number)[0]} {path(number)}", disk.tree(durable | before)
        if effect(number)[0] == "data":
            yield f"up to half of {path(number)}", disk.tree(durable | before, half=number)
        yield f"all but {effect(number)[0]} {path(number)}", disk.tree(durable | ignored | set(relevant) - {number})
        yield f"only {effect(number)[0]} {path(number)}", disk.tree(durable | {number})
