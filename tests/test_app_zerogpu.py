"""Training on ZeroGPU, with a `spaces` that forks and pickles as the real one does, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# As in spaces 0.51: the worker is forked, arguments and results are pickled, an error keeps only the name of its
# class, and closing the generator ends the worker's after its current yield.
SPACES = """
import functools, multiprocessing, pickle, sys

assert "torch" not in sys.modules, "spaces must be imported before torch"
CALLS = []
fork = multiprocessing.get_context("fork")


def GPU(task=None, *, duration=None, size=None):
    if task is None:
        return functools.partial(GPU, duration=duration)

    def work(arguments, results, stop):
        args, kwargs = pickle.loads(arguments)
        events = task(*args, **kwargs)
        try:
            for event in events:
                if stop.is_set():
                    events.close()
                    break
                results.put(pickle.dumps(("yield", event)))
        except Exception as error:
            results.put(pickle.dumps(("error", type(error).__name__)))
        results.put(pickle.dumps(("end", None)))

    @functools.wraps(task)
    def call(*args, **kwargs):
        CALLS.append(duration)
        results, stop = fork.SimpleQueue(), fork.Event()
        worker = fork.Process(target=work, args=(pickle.dumps((args, kwargs)), results, stop), daemon=True)
        worker.start()
        kind = ""
        try:
            while kind != "end":
                kind, value = pickle.loads(results.get())
                if kind == "error":
                    raise RuntimeError(value)
                if kind == "yield":
                    yield value
        finally:
            stop.set()
            while kind != "end":
                kind, _ = pickle.loads(results.get())
            worker.join()

    return call
"""

# Takes a program and its arguments from each line that comes in, runs them in a process forked from itself, which has
# imported the app already, and says where what was printed ends and how it went.
SERVER = """
import json, os, signal, sys, traceback
import app, spaces

for line in sys.stdin:
    child = os.fork()
    if not child:
        signal.alarm(120)  # seconds, after which it is killed
        program, *sys.argv[1:] = json.loads(line)
        sys.stdin = open(os.devnull)
        try:
            exec(program, {"__name__": "__main__"})
            sys.stdout.flush()
        except BaseException:
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(1)
        os._exit(0)
    print(f"exit code {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}", flush=True)
"""

PROGRAM = """
import os, sys
import app, spaces
from dataclasses import replace
from singan import PRESETS
from singan.ui import sample, shelf, train, zerogpu

photo, case = sys.argv[1:]
PRESETS["fast"] = replace(PRESETS["fast"], generators=2, width=8, critic_width=8, pool_size=4)
mine = shelf.Shelf(app.Path("nowhere"))
views = train.train(mine, "", photo, steps=2 if case == "whole" else 40)
first = next(views)
seen = []
for view in views:
    seen.append(view)
    if case == "stop" and view.scales.get("value"):
        train.stop(first.run_id)
if case == "stop":
    print(seen[-1].status)
    seen += train.resume(mine, first.run_id)
model = seen[-1].shelf.load("tiles")
print("calls", spaces.CALLS, "scales", len(model.generators), "device", model.device, zerogpu.DEVICE)
print("sampled", len(list(sample.sample(seen[-1].shelf, "tiles", number=2))))
print("workers", len(__import__("multiprocessing").active_children()))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A process that has imported the app where `spaces` is that one, and runs programs."""
    folder = tmp_path_factory.mktemp("space")
    (folder / "spaces.py").write_text(SPACES)
    environment = {**os.environ, "SPACES_ZERO_GPU": "true", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.communicate()


@pytest.fixture
def run(server, photo_path):
    """What the program prints in a process of its own."""

    def run(program, *arguments):
        server.stdin.write(json.dumps([program, str(photo_path), *arguments]) + "\n")
        server.stdin.flush()
        printed = ""
        while not (line := server.stdout.readline()).startswith("exit code "):
            assert line, "the server has ended"
            printed += line
        assert line == "exit code 0\n", printed
        return printed

    return run


def test_training_takes_one_call_a_scale_and_its_model_comes_out_of_the_worker(run):
    assert run(PROGRAM, "whole") == "calls [60, 60] scales 2 device cpu cpu\nsampled 2\nworkers 0\n"


def test_stop_and_resume_reach_into_the_worker(run):
    status, calls, *_ = run(PROGRAM, "stop").splitlines()
    assert "Stopped after" in status and "1 scale learned" in status
    assert "scales 2 device cpu" in calls


def test_worker_waits_for_no_short_job_whose_end_it_would_not_hear_of(run):
    program = PROGRAM.replace("photo, case", "learning.short.give_way = lambda: 1 / 0; photo, case", 1)
    assert "scales 2" in run(program.replace("import sample", "import learning, sample"), "whole")


def test_error_in_the_worker_keeps_its_text(run):
    program = """
import sys
import app
from singan.errors import TrainingError
from singan.ui import learning, shelf, train

def diverging(*args, **settings):
    yield from ()
    raise TrainingError("Scale 0 diverged twice.", model=object())

learning.iter_train = diverging
try:
    list(train.train(shelf.Shelf(app.Path("nowhere")), "", sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error.message)
"""
    assert run(program) == "Error Scale 0 diverged twice.\n"


def test_call_that_lasts_too_long_is_gone_on_with_in_the_next(run):
    program = PROGRAM.replace("photo, case", "zerogpu.CALL_SECONDS = 0; photo, case")  # each step takes longer
    calls = run(program, "whole").splitlines()[0]
    assert calls.count("60") >= 4 and "scales 2" in calls


def test_picture_to_be_enlarged_is_learned_in_the_worker(run):
    program = """
import sys
import app, spaces, singan
from dataclasses import replace
from singan.ui import enlarge, shelf, zerogpu

config = replace(singan.super_resolution_config(2, (52, 40)), steps=(2,), width=8)
singan.super_resolution_config = lambda *_: config
*_, view = enlarge.super_resolve(shelf.Shelf(app.Path("nowhere")), "", sys.argv[1], factor=2)
print(spaces.CALLS, "From 52x40 to 104x80 px" in view.status)
"""
    assert run(program) == "[60] True\n"
