"""A run's folder has one writer, and what killed processes left there does no harm."""

import multiprocessing
import os
import threading

import pytest

import uomh
from tests.train import child
from uomh.errors import UomhError
from uomh.training.checkpoints import Checkpoints
from uomh.training.lock import writing

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.train.child"])
OVERRIDES = [*child.BASE, "train.max_epochs=1"]


def hold(folder, pipe):
    with writing(folder):
        pipe.send("held")
        pipe.poll(60)


@pytest.fixture
def held(tmp_path):
    """A run whose folder another process holds, that process, and the run."""
    config, data = uomh.resolve(overrides=OVERRIDES)
    model, _ = uomh.train(config, data, tmp_path / "run")
    here, there = SERVER.Pipe()  # an event would wait for ever for a process that was killed
    process = SERVER.Process(target=hold, args=(tmp_path / "run", there))
    process.start()
    there.close()
    assert here.poll(60)
    yield tmp_path / "run", process, (config, data, model)
    here.close()
    process.join(60)


def test_a_second_process_is_refused_with_the_name_of_the_first(held):
    folder, process, (config, data, model) = held
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    sentence = rf"run' is being written by process {process.pid} on .* since .*; wait until"
    for write in (
        lambda: uomh.train(config, data, folder),
        lambda: uomh.fit(model, data, config, folder),
        lambda: uomh.measure(model, data, config, run_dir=str(folder)),
    ):
        with pytest.raises(UomhError, match=sentence):
            write()
    assert uomh.load_run(folder).model.sample(2).shape == (2, 1, 8, 8)  # reading is free
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_lock_of_a_dead_process_is_taken_over(held):
    folder, process, (config, data, _) = held
    process.kill()
    process.join()
    assert (folder / ".lock.json").is_file()
    uomh.train(config, data, folder)
    assert not (folder / ".lock.json").exists()


def test_another_thread_is_refused_and_a_nested_block_is_not(tmp_path):
    errors = []

    def second():
        try:
            with writing(tmp_path):
                pass
        except UomhError as error:
            errors.append(str(error))

    with writing(tmp_path):
        with writing(tmp_path):
            thread = threading.Thread(target=second)
            thread.start()
            thread.join()
        assert len(errors) == 1
        assert f"process {os.getpid()} on" in errors[0]
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(errors) == 2
    second()
    assert len(errors) == 2


def test_what_a_process_killed_in_its_first_write_left_is_no_obstacle(tmp_path):
    for name in (".config.json-0123abcd", ".lock", ".lock.json"):
        (tmp_path / name).write_text("{")
    with writing(tmp_path):
        assert not (tmp_path / ".config.json-0123abcd").exists()
    (tmp_path / "thesis.tex").write_text("irreplaceable")
    with pytest.raises(UomhError, match="not empty and holds no run"), writing(tmp_path):
        pass


def test_a_leaf_waits_for_the_worker_of_a_dead_process(tmp_path, monkeypatch):
    order = []

    def worker(taken, release):
        with Checkpoints(tmp_path).alone():
            taken.set()
            release.wait(60)
            order.append("worker")

    taken, release = threading.Event(), threading.Event()
    thread = threading.Thread(target=worker, args=(taken, release))
    thread.start()
    assert taken.wait(60)
    with monkeypatch.context() as patched:
        patched.setattr("uomh.training.checkpoints.ORPHAN_SECONDS", 0.01)
        with (
            pytest.raises(UomhError, match="another process still trains"),
            Checkpoints(tmp_path).alone(),
        ):
            pass
    threading.Timer(0.2, release.set).start()
    with Checkpoints(tmp_path).alone():
        order.append("next")
    thread.join()
    assert order == ["worker", "next"]
