"""What scripts/dashboard-test does: a training run, the dashboard, and Chromium by its DevTools protocol over a pipe."""

import base64
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

RUN = """
base_output_dir: {folder}
model: {{name_or_path: {model}, dtype: float32}}
data: {{path: Examples/dialogues.jsonl, max_length: 64, max_eval_samples: 6}}
training: {{max_steps: 16, learning_rate: 5.0e-4, per_device_train_batch_size: 4, gradient_accumulation_steps: 1, eval_steps: 4,
           save_strategy: "no", load_best_model_at_end: false, logging_steps: 1, eval_on_start: true, tokens_per_pass: 512}}
monitor: {{window_size: 2, min_steps_between_checkpoints: 4, perplexity_threshold: 1000, grad_norm_bounds: [0.01, 20],
          eval_loss_variance_threshold: 2, probes: {{max_new_tokens: 16, max_share: 1}}}}
"""


class Browser:
    """Chromium without a window. Messages are JSON that ends with a zero byte."""

    def __init__(self, program, profile):
        (there, self.out), (self.inn, back) = os.pipe(), os.pipe()
        # It reads its descriptor 3 and writes its descriptor 4.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{there} 4>&{back}', "bash", program, "--headless", "--no-sandbox", "--disable-gpu",
             "--hide-scrollbars", "--no-first-run", f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
            pass_fds=(there, back), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(there)
        os.close(back)
        self.buffer, self.count, self.events = b"", 0, []

    def read(self, timeout):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.inn], [], [], timeout)
            if not ready:
                return None
            block = os.read(self.inn, 1 << 20)
            if not block:
                sys.exit("Chromium has ended")
            self.buffer += block
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        self.count += 1
        number = self.count
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read(30)
            if answer is None:
                sys.exit(f"Chromium does not answer {method}")
            if answer.get("id") == number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def quit(self):
        self.process.terminate()
        self.process.wait()


class Tab:
    def __init__(self, browser, address, width, dark=False):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=address)
        wait("the page", lambda: self.value("document.readyState") == "complete" and self.value("!!document.querySelector('main')"))

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def value(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            sys.exit(f"{expression}: {answer['exceptionDetails']['text']}")
        return answer["result"].get("value")

    @property
    def text(self):
        return self.value("document.body.innerText")

    @property
    def step(self):
        """The steps done, as the head of the page tells them."""
        found = re.search(r"(?:step|ステップ) (\d+) / \d+", self.value("document.querySelector('header').innerText"))
        return int(found[1]) if found else 0

    def screenshot(self, name):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        with open(os.path.join(screenshots, name), "wb") as file:
            file.write(base64.b64decode(data))

    def troubles(self):
        """What the console complains of."""
        self.value("1")
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            parameters = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(parameters["exceptionDetails"].get("exception", parameters["exceptionDetails"]).get("description", "exception"))
            elif event["method"] == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
                found.append(" ".join(str(a.get("value", a.get("description"))) for a in parameters["args"]))
            elif event["method"] == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                found.append(parameters["entry"]["text"] + " " + parameters["entry"].get("url", ""))
        return found


def wait(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"FAILED: waited {seconds} s for {what}")
        time.sleep(0.1)


failures = 0


def check(what, holds):
    global failures
    failures += not holds
    print(f"{'ok' if holds else 'FAILED':8} {what}", flush=True)


class Dashboard:
    def __init__(self, folder, language, port=0):
        self.process = subprocess.Popen(
            [meno, "dashboard", folder, "--port", str(port), "--language", language], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        self.port = int(self.address.rstrip("/").rsplit(":", 1)[1])

    def quit(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


def main():
    runs = os.path.join(folder, "runs")
    live = os.path.join(runs, "live")
    record = os.path.join(live, "training_progress", "events.jsonl")
    configuration = os.path.join(folder, "run.yaml")
    with open(configuration, "w") as file:
        file.write(RUN.format(folder=live, model=model))
    training = start([meno, "train", configuration, "--quiet"])
    wait("the first step", lambda: os.path.exists(record) and any(l.startswith('{"step"') for l in open(record)), 300)
    japanese, english = start_dashboard(runs, "ja"), start_dashboard(runs, "en")
    browser = Browser(program, os.path.join(folder, "profile"))
    started.append(browser)

    # A run by itself is where the address leads to.
    wide, phone = Tab(browser, japanese.address, 1100), Tab(browser, english.address, 400, dark=True)
    tabs = [("Japanese, wide", wide), ("English, phone, dark", phone)]
    before = [tab.step for _, tab in tabs]
    check(f"the page shows the run while it goes on, at step {before[0]}", training.poll() is None)
    check("Japanese", "学習損失" in wide.text and wide.value("document.documentElement.lang") == "ja")
    check("English", "training loss" in phone.text.lower() and phone.value("document.documentElement.lang") == "en")
    wide.screenshot("1-before-ja.png")
    phone.screenshot("1-before-en-phone-dark.png")
    # It must be the same page that grows, not one that was loaded again.
    for _, tab in tabs:
        tab.value("window.loadedOnce = true; for (const d of document.querySelectorAll('details')) d.open = !d.open;"
                  "window.chosen = new Map([...document.querySelectorAll('details')].map(d => [d.innerText.split('\\n')[0], d.open])); true")
    for (name, tab), step in zip(tabs, before):
        wait(f"the page to grow ({name})", lambda: tab.step > step, 300)
        check(f"{name}: grew from step {step} to {tab.step} by itself", tab.value("window.loadedOnce === true"))

    # A dashboard that is started again is found by the page that is open.
    quiet = [tab.troubles() for _, tab in tabs]
    status = english.quit()
    check(f"a signal ends the dashboard (status {status})", status == 0)
    step = phone.step
    english = start_dashboard(runs, "en", english.port)
    training.wait(600)
    check("the run completes", training.returncode == 0)
    for name, tab in tabs:
        done = "完了" if tab is wide else "completed"
        wait(f"the end of the run ({name})", lambda: done in tab.value("document.querySelector('header').innerText"))
        check(f"{name}: shows the end, step {tab.step}", tab.step == 16 and tab.value("window.loadedOnce === true"))
        kept = tab.value("[...document.querySelectorAll('details')].map(d => [d.innerText.split('\\n')[0], d.open])"
                         ".filter(([name, open]) => chosen.has(name)).map(([name, open]) => open === chosen.get(name))")
        check(f"{name}: what was opened or closed stays so ({len(kept)})", kept and all(kept))
    check("a page that is open goes on after a restart of the dashboard", phone.step > step)
    for name, tab in tabs:
        overflow = tab.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        check(f"{name}: nothing is wider than the page", overflow <= 0)
    wide.screenshot("2-after-ja.png")
    phone.screenshot("2-after-en-phone-dark.png")

    side_by_side(browser, japanese, runs, record)
    answers(browser, english)
    steer(browser, english, runs)
    quiet[0] = wide.troubles()
    for (name, _), troubles in zip(tabs, quiet):
        check(f"{name}: nothing on the console {'; '.join(troubles)}", not troubles)


def side_by_side(browser, dashboard, runs, record):
    """The record of the run, fed line by line into another folder, while both are looked at side by side."""
    lines = open(record).readlines()
    other = os.path.join(runs, "again", "training_progress")
    os.makedirs(other)
    with open(os.path.join(other, "events.jsonl"), "w") as file:
        fed = 0
        for line in lines:
            file.write(line)
            file.flush()
            fed += line.startswith('{"step"')
            if fed == 2:
                break
        tab = Tab(browser, dashboard.address, 1100)
        row = "[...document.querySelectorAll('table.list tr')].map(r => r.innerText).find(r => r.startsWith('again'))"
        check("two runs side by side", "live" in tab.text and "2 / 16" in (tab.value(row) or ""))
        tab.screenshot("3-side-by-side-before-ja.png")
        for line in lines[lines.index(line) + 1:]:
            file.write(line)
            file.flush()
            time.sleep(0.02)
    wait("the second run to grow", lambda: "16 / 16" in (tab.value(row) or ""))
    check("the second grew to its end", True)
    tab.screenshot("4-side-by-side-after-ja.png")
    troubles = tab.troubles()
    check(f"side by side: nothing on the console {'; '.join(troubles)}", not troubles)


def answers(browser, dashboard):
    """The answers of two evaluations beside each other, chosen by a form."""
    tab = Tab(browser, dashboard.address + "runs/live/answers", 1100)
    check("answers side by side: the first and the last evaluation", "step 0" in tab.text and "step 16" in tab.text)
    tab.value("document.querySelector('select[name=left]').value = '8'; document.querySelector('form button').click(); true")
    wait("the other evaluation", lambda: "left=8" in tab.value("location.href"))
    wait("its answers", lambda: "step 8" in tab.value("document.querySelector('table')?.innerText ?? ''"))
    check("answers side by side: another evaluation is chosen", True)
    tab.screenshot("5-answers-en.png")
    troubles = tab.troubles()
    check(f"answers side by side: nothing on the console {'; '.join(troubles)}", not troubles)


def steer(browser, dashboard, runs):
    """A run that is asked for a checkpoint and stopped by the buttons of its page."""
    configuration = os.path.join(folder, "steered.yaml")
    steered = os.path.join(runs, "steered")
    with open(configuration, "w") as file:
        file.write(RUN.format(folder=steered, model=model).replace("max_steps: 16", "max_steps: 4000").replace("eval_steps: 4", "eval_steps: 2000"))
    training = start([meno, "train", configuration, "--quiet"])
    wait("the run to begin", lambda: os.path.exists(os.path.join(steered, "control_session.json")), 300)
    tab = Tab(browser, dashboard.address + "runs/steered", 1100)
    wait("the buttons", lambda: "Save a checkpoint now" in tab.text, 60)
    wait("the first step", lambda: tab.step > 0, 300)
    check("data summary", "tokens per example" in tab.text and "tokens in the loss" in tab.text)
    tab.screenshot("6-buttons-en.png")
    press = "[...document.querySelectorAll('.control button')].find(b => b.innerText == '{}').click(); true"
    tab.value(press.format("Save a checkpoint now"))
    saved = lambda: [n for n in os.listdir(os.path.join(steered, "model")) if n.startswith("checkpoint-")]
    wait("the checkpoint", saved, 120)
    check(f"a button saves {saved()[0]}, and the run goes on", training.poll() is None)
    wait("the page to offer it again", lambda: "Save a checkpoint now" in tab.text)
    tab.value("document.querySelector('details[data-key=stop]').open = true; true")
    tab.value(press.format("Stop the run"))
    training.wait(120)
    check("a button stops the run with its result", training.returncode == 0
          and os.path.exists(os.path.join(steered, "model", "adapter_model.safetensors")))
    wait("the end of the run", lambda: "stopped early" in tab.value("document.querySelector('header').innerText"))
    check("the buttons are gone", "Stop the run" not in tab.text)
    tab.screenshot("7-stopped-en.png")
    troubles = tab.troubles()
    check(f"steering: nothing on the console {'; '.join(troubles)}", not troubles)


started = []


def start(command):
    process = subprocess.Popen(command)
    started.append(process)
    return process


def start_dashboard(*arguments):
    dashboard = Dashboard(*arguments)
    started.append(dashboard.process)
    return dashboard


if __name__ == "__main__":
    program, meno, model, screenshots = sys.argv[1:]
    folder = tempfile.mkdtemp()
    try:
        main()
    finally:
        for process in reversed(started):
            if isinstance(process, Browser):
                process.quit()
            elif process.poll() is None:
                process.terminate()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"screenshots are in {screenshots}")
    sys.exit(1 if failures else 0)
