"""The logger: rows survive interruptions unchanged, the console fits its terminal, W&B keeps its run."""

import io
import json
import logging
import math
import re

import numpy as np
import pytest

from training.config import Logger, Wandb
from training.console import Console
from training.jsonl import JsonLines
from training.logging import RunLogger, quiet_libraries, read_metrics
from training.wandb_sink import choose_mode


def train(folder, first, last, resume):
    """A run that logs the same numbers whenever it comes to the same step."""
    with RunLogger(folder, {}) as logger:
        logger.resume(resume)
        for step in range(first, last + 1):
            logger.log(step, "train", {"loss": 1 / step, "lr": np.float32(0.1) * step}, {"seconds_per_step": 0.1})
            if step % 2 == 0:
                logger.log(step, "valid", {"rel_l2": math.nan if step == 2 else math.sqrt(step)})


def without_wall(path):
    return [re.sub(r'"wall": \{.*?\}', "", line) for line in path.read_text().splitlines()]


class TestJsonLines:
    def test_rows(self, tmp_path):
        train(tmp_path, 1, 2, 0)
        rows = read_metrics(tmp_path / "metrics.jsonl")
        assert [(row["step"], row["split"]) for row in rows] == [(1, "train"), (2, "train"), (2, "valid")]
        assert rows[1]["metrics"] == {"loss": 0.5, "lr": float(np.float32(0.2))}
        assert rows[1]["wall"]["seconds_per_step"] == 0.1 and rows[1]["wall"]["time"] > 1.7e9
        assert math.isnan(rows[2]["metrics"]["rel_l2"])
        for line in (tmp_path / "metrics.jsonl").read_text().splitlines():
            json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    @pytest.mark.parametrize("reached, restored", [(5, 4), (6, 6), (3, 0), (7, 2)])
    @pytest.mark.parametrize("torn", ["", '{"step": 8, "split": "tr'])
    def test_resumed_equals_uninterrupted(self, tmp_path, reached, restored, torn):
        whole, broken = tmp_path / "whole", tmp_path / "broken"
        whole.mkdir(), broken.mkdir()
        train(whole, 1, 10, 0)
        train(broken, 1, reached, 0)
        with (broken / "metrics.jsonl").open("a") as file:
            file.write(torn)
        assert read_metrics(broken / "metrics.jsonl")[-1]["step"] == reached
        JsonLines(broken / "metrics.jsonl").resume(restored)
        rows = read_metrics(broken / "metrics.jsonl")
        assert [row["step"] for row in rows if row["split"] == "train"] == list(range(1, restored + 1))
        train(broken, restored + 1, 10, restored)
        assert without_wall(broken / "metrics.jsonl") == without_wall(whole / "metrics.jsonl")

    def test_finished_run_repeats_nothing(self, tmp_path):
        for _ in range(2):
            with RunLogger(tmp_path, {}) as logger:
                logger.resume(4)
                logger.log(4, "valid", {"rel_l2": 0.1})
                logger.log(4, "test", {"rel_l2": 0.2})
        assert len(read_metrics(tmp_path / "metrics.jsonl")) == 2

    def test_steps_rise(self, tmp_path):
        rows = JsonLines(tmp_path / "metrics.jsonl")
        rows.log(4, "train", {}, {})
        with pytest.raises(ValueError, match="step: got 3, wanted at least 4"):
            rows.log(3, "train", {}, {})
        rows.close()

    def test_bad_file(self, tmp_path):
        path = tmp_path / "metrics.jsonl"
        path.write_text('{"step": 1, "split": "train", "metrics": {}, "wall": {}}\nnonsense\n')
        with pytest.raises(ValueError, match=r"line 2: got 'nonsense"):
            read_metrics(path)

    def test_full_disk(self):
        rows = JsonLines("/dev/full")
        with pytest.raises(OSError, match="cannot append to /dev/full: No space left"):
            rows.log(1, "train", {"loss": 1.0}, {})
        rows.close()  # does not fail a second time, in place of the message

    def test_full_disk_while_rows_are_dropped(self, tmp_path):
        path = tmp_path / "metrics.jsonl"
        with RunLogger(tmp_path, {}) as logger:
            for step in (1, 2):
                logger.log(step, "train", {"loss": 1.0})
        before = path.read_text()
        (tmp_path / "metrics.jsonl.partial").symlink_to("/dev/full")
        with pytest.raises(OSError, match=r"cannot write .*metrics.jsonl.partial: No space left"):
            JsonLines(path).resume(1)
        assert path.read_text() == before


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TestConsole:
    def test_plain_lines(self):
        out = io.StringIO()
        console = Console(every_seconds=1e3, file=out)
        for step in range(100, 2001, 100):
            console.progress(step, 2000, loss=0.5, seconds_per_step=0.00123456)
            console.log(step, "train", {"loss": 0.5}, {})
        console.log(2000, "valid", {"rel_l2": 0.0123456}, {})
        console.message("[brackets] stay")
        console.result({"num_params": 1234567, "valid/rel_l2": 0.5, "versions": {"jax": "1"}})
        assert out.getvalue().splitlines() == [
            "step 100/2,000 (5%)  loss 0.5  seconds_per_step 0.001235",
            "step 2,000/2,000 (100%)  loss 0.5  seconds_per_step 0.001235",
            "step 2,000  valid  rel_l2 0.01235",
            "[brackets] stay",
            "num_params = 1,234,567",
            "valid/rel_l2 = 0.5",
        ]

    def test_time_left(self, monkeypatch):
        clock = iter([0.0, 30.0])
        monkeypatch.setattr("training.console.time.monotonic", lambda: next(clock))
        out = io.StringIO()
        console = Console(every_seconds=10.0, file=out)
        console.progress(50, 1000)
        console.progress(100, 1000)
        assert "9:00 left" in out.getvalue()  # 900 steps at 30 s per 50

    def test_live_bar(self, monkeypatch):
        monkeypatch.setenv("TERM", "xterm")
        out = Terminal()
        console = Console(file=out)
        console.progress(5, 10, loss=0.25)
        console.progress(10, 10, loss=0.125)
        console.result({"rel_l2": 0.5})
        console.close()
        assert "10/10" in out.getvalue() and "loss 0.125" in out.getvalue() and "\x1b[" in out.getvalue()

    def test_one_process_speaks(self, tmp_path, capsys):
        with RunLogger(tmp_path, {}, enabled=False) as logger:
            logger.resume(0)
            logger.message("hello")
            logger.log(1, "train", {"loss": 1.0})
            logger.progress(1, 2)
            logger.result({"a": 1})
        assert not list(tmp_path.iterdir()) and capsys.readouterr().out == ""

    def test_libraries_are_quiet(self, caplog):
        caplog.set_level(logging.INFO)
        quiet_libraries()
        logging.getLogger("jax._src.xla_bridge").info("Unable to initialize backend 'tpu'")
        logging.getLogger("absl").info("chatter")
        assert not caplog.records


class TestSinks:
    def test_another_sink_is_one_class(self, tmp_path):
        class Memory:
            def __init__(self):
                self.events = []

            def log(self, step, split, metrics, wall):
                self.events.append((step, split, dict(metrics)))

            def result(self, result):
                self.events.append(result)

            def close(self, failed=False):
                self.events.append(failed)

        memory = Memory()
        with (
            pytest.raises(RuntimeError, match="diverged"),
            RunLogger(tmp_path, {}, Logger(console_every_seconds=1.0), sinks=[memory]) as logger,
        ):
            logger.log(1, "train", {"loss": 1.0})
            logger.result({"rel_l2": 0.5})
            raise RuntimeError("diverged")
        assert memory.events == [(1, "train", {"loss": 1.0}), {"rel_l2": 0.5}, True]

    def test_wandb_offline_survives_a_resume(self, tmp_path):
        ids = []
        for resume in (0, 3):
            with RunLogger(tmp_path, {"seed": 1}, Logger(wandb=Wandb(mode="offline"))) as logger:
                logger.resume(resume)
                for step in range(resume + 1, resume + 4):
                    logger.log(step, "train", {"loss": 1 / step}, {"seconds_per_step": 0.1})
                logger.log(step, "valid", {"rel_l2": 0.5})
                logger.result({"rel_l2": 0.5, "versions": {"jax": "0"}})
            ids.append((tmp_path / "wandb_id").read_text().strip())
        assert ids[0] == ids[1]
        # A second folder would hide the first when both began within the same second.
        assert list((tmp_path / "wandb").glob(f"offline-run-*-{ids[0]}/run-{ids[0]}.wandb"))
        assert len(read_metrics(tmp_path / "metrics.jsonl")) == 8

    def test_wandb_mode(self, tmp_path, monkeypatch):
        for name in ("WANDB_MODE", "WANDB_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        assert Logger().wandb.mode == choose_mode("disabled") == "disabled"
        assert choose_mode("auto") == "offline"
        with pytest.raises(ValueError, match=r"got online, but no key was found; run `wandb login`"):
            choose_mode("online")
        (tmp_path / "netrc").write_text("machine api.wandb.ai login user password none\n")
        assert choose_mode("auto") == choose_mode("online") == "online"
        monkeypatch.setenv("WANDB_MODE", "disabled")
        assert choose_mode("auto") == "disabled"
        with pytest.raises(ValueError, match="wanted one of disabled, offline, online, auto"):
            choose_mode("on")
