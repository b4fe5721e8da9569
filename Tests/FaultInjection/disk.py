"""A disk as a program's file operations leave it: what the system shows, and what would be there after a power loss.

Names and bytes become durable only by fsync: of a file for its bytes, of a folder for the names in it. What is pending may be
on the disk or not, in any order; a rename is there as a whole or not at all.
"""
import hashlib
import json
import re


def read_record(path):
    """The operations that recorder.c wrote: (call, path, other path, first, second, bytes)."""
    data, at, operations = path.read_bytes(), 0, []
    while at < len(data):
        end = data.index(b"\n", at)
        call, name, other, first, second, count = data[at:end].decode().split("\t")
        at, count = end + 1, int(count)
        operations.append((call, name, other, int(first), int(second), data[at:at + count]))
        at += count + (1 if count else 0)
    return operations


class Disk:
    """Nodes are numbers; 0 is the root. `effects` is what was done, in order; `durable` are those that a sync has secured."""

    def __init__(self, tree):
        self.names, self.folders, self.open, self.next = {}, {0}, {}, 1
        self.effects, self.durable = [], set()
        for path in sorted(tree):
            node = self.new(tree[path] is None)
            self.name(path, node)
            if tree[path] is not None:
                self.effects.append(("data", node, 0, tree[path]))
        self.durable = set(range(len(self.effects)))

    def new(self, is_folder):
        self.next += 1
        if is_folder:
            self.folders.add(self.next)
        return self.next

    def node(self, path):
        node = 0
        for part in [] if path == "." else path.split("/"):
            node = self.names[node, part]
        return node

    def place(self, path):
        folder, _, name = path.rpartition("/")
        return self.node(folder or "."), name

    def name(self, path, node, old=None):
        change = [(self.place(path), node)] + ([(self.place(old), None)] if old else [])
        self.effects.append(("name", path, *change))
        for place, value in change:
            if value is None:
                self.names.pop(place, None)
            else:
                self.names[place] = value

    def do(self, operation):
        """Takes an operation that happened."""
        call, path, other, first, second, data = operation
        if call == "mkdir":
            self.name(path, self.new(True))
        elif call == "open":
            if second & 1:
                self.name(path, self.new(False))
            elif second & 2:
                self.effects.append(("size", self.node(path), 0))
            self.open[first] = self.node(path)
        elif call == "duplicate":
            self.open[second] = self.open[first]
        elif call == "write":
            self.effects.append(("data", self.open[first], second, data))
        elif call == "truncate":
            self.effects.append(("size", self.open[first], second))
        elif call == "rename":
            self.name(other, self.node(path), old=path)
        elif call == "unlink":
            place = self.place(path)
            self.effects.append(("name", path, (place, None)))
            self.names.pop(place, None)
        elif call == "fsync":
            self.durable |= self.secured(first)
        elif call not in ("close", "fault"):
            raise SystemExit(f"fault-test: the program does what is not simulated: {call} {path} {other}")

    def secured(self, descriptor):
        """The pending effects that a sync makes durable."""
        node = self.open[descriptor]
        return {
            number for number, effect in enumerate(self.effects) if number not in self.durable
            and (any(place[0] == node for place, _ in effect[2:]) if effect[0] == "name" else effect[1] == node)}

    def pending(self):
        return [number for number in range(len(self.effects)) if number not in self.durable]

    def tree(self, chosen=None, half=None, zeros=False):
        """The folder after some effects (all of them unless given): bytes by path, None for a folder.

        half: an effect of which only the first half is there. zeros: data that are not chosen leave zeros in their place.
        """
        names, contents = {}, {}
        for number, effect in enumerate(self.effects):
            is_chosen = chosen is None or number in chosen
            if effect[0] == "name":
                for place, node in effect[2:] if is_chosen else ():
                    if node is None:
                        names.pop(place, None)
                    else:
                        names[place] = node
                continue
            if not is_chosen and not (zeros and effect[0] == "data"):
                continue
            content = contents.setdefault(effect[1], bytearray())
            if effect[0] == "size":
                del content[effect[2]:]
                content.extend(bytes(effect[2] - len(content)))
                continue
            data = effect[3] if is_chosen else bytes(len(effect[3]))
            data = data[:len(data) // 2] if number == half else data
            content.extend(bytes(max(0, effect[2] - len(content))))
            content[effect[2]:effect[2] + len(data)] = data
        children = {}
        for (folder, name), node in names.items():
            children.setdefault(folder, []).append((name, node))
        tree, stack = {}, [("", 0)]
        while stack:
            prefix, folder = stack.pop()
            for name, node in children.get(folder, []):
                path = prefix + name
                if node in self.folders:
                    tree[path] = None
                    stack.append((path + "/", node))
                else:
                    tree[path] = bytes(contents.get(node, b""))
        return tree


# Of these the program never reads a byte: it removes or replaces them.
UNREAD = re.compile(r"(run/model/\.(?:stable_)?checkpoint-)\d+(\.(?:partial|removed))/.*")
ONLY_WRITTEN = re.compile(r"run/logs/.*|run/\.lock|run/\.?control_.*|run/training_progress/(?!metrics\.jsonl|events\.jsonl).*")
# Names that Foundation makes up for files that replace another.
TEMPORARY = re.compile(r"/\.dat[^/]*$")


def key(tree):
    """Equal for trees that no resumed run can tell apart."""
    parts = set()
    for path, content in tree.items():
        if ONLY_WRITTEN.fullmatch(path) or UNREAD.fullmatch(path):
            continue
        if path.endswith("events.jsonl") and content:
            # The report is made of it, and nothing of the result.
            content = b"lines" if content.endswith(b"\n") else b"a torn line"
        if path.endswith(".partial") and content is not None or TEMPORARY.search(path):
            content = b"unread"
        digest = "folder" if content is None else hashlib.sha256(content).hexdigest()
        parts.add((TEMPORARY.sub("/temporary", path), digest))
    return hashlib.sha256(repr(sorted(parts)).encode()).hexdigest()


def fault_of_checkpoint(tree, folder):
    """What a checkpoint lacks by its manifest; None: it is whole."""
    try:
        files = json.loads(tree[folder + "/manifest.json"])["files"]
    except (KeyError, ValueError, TypeError):
        return "no manifest"
    for name, expected in files.items():
        content = tree.get(f"{folder}/{name}")
        if content is None or len(content) != expected["size"] or hashlib.sha256(content).hexdigest() != expected["sha256"]:
            return name
    return None
