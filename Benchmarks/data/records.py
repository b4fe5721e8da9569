"""Files of records of any size in the shape of real dialogues."""
import json
import random


def write(path, source, size):
    """JSON lines of at least `size` bytes: dialogues of `source`, then others made of their turns, no two alike."""
    dialogues = json.load(open(source))
    generator = random.Random(1)
    count = written = 0
    with open(path, "w") as file:
        while written < size:
            record = dialogues[count % len(dialogues)]
            if count >= len(dialogues):
                other = dialogues[generator.randrange(len(dialogues))]
                question = f"{count}。{record['messages'][0]['content']}"
                record = dict(record, messages=[
                    {"role": "user", "content": question}, {"role": "model", "content": other["messages"][-1]["content"]}])
            line = json.dumps(record, ensure_ascii=False) + "\n"
            file.write(line)
            written += len(line.encode())
            count += 1
    return count
