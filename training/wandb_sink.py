"""Weights & Biases as a place to log to."""

import logging
import netrc
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from .config import Wandb
from .jsonl import Numbers

log = logging.getLogger(__name__)

_MODES = ("disabled", "offline", "online", "auto")


def choose_mode(mode: str) -> str:
    """Resolve `auto`: $WANDB_MODE where it is set, else online where a key is found, else offline.

    Raises:
        ValueError: an unknown mode, or online without a key.
    """
    if mode not in _MODES:
        raise ValueError(f"logger.wandb.mode: got {mode!r}, wanted one of {', '.join(_MODES)}")
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
    if mode == "online" and not _has_key():
        raise ValueError(
            "logger.wandb.mode: got online, but no key was found; run `wandb login`, set WANDB_API_KEY, or use "
            "logger.wandb.mode=offline"
        )
    return mode


def _has_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        return netrc.netrc(path).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


class WandbSink:
    """One Weights & Biases run; its id is kept in the run directory, so that a resumed run goes on with it.

    Args:
        folder: run directory; offline data lie in its `wandb/` until `wandb sync`.
        config: configuration of the run.
        settings: project, entity, group, tags.
        mode: "online" or "offline".
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], settings: Wandb, mode: str) -> None:
        import wandb  # takes most of a second, and few runs ask for it

        id_file = folder / "wandb_id"
        if not id_file.exists():
            id_file.write_text(uuid.uuid4().hex[:8] + "\n")
        self._run = wandb.init(
            id=id_file.read_text().strip(),
            resume="allow",
            mode="online" if mode == "online" else "offline",
            name=folder.name,
            dir=str(folder),
            config=dict(config),
            project=settings.project,
            entity=settings.entity,
            group=settings.group,
            tags=settings.tags or None,
            settings=wandb.Settings(silent=True, console="off"),
        )
        if mode == "online":
            log.info("W&B: %s", self._run.url)

    def log(self, step: int, split: str, metrics: Numbers, wall: Numbers) -> None:
        """Send a row; W&B refuses steps it already has, so a resumed run skips them."""
        if step < self._run.step:
            return
        values = {**metrics, **{f"wall/{name}": value for name, value in wall.items()}}
        self._run.log({f"{split}/{name}": value for name, value in values.items()}, step=step)

    def result(self, result: Mapping[str, Any]) -> None:
        self._run.summary.update({f"result/{name}": value for name, value in result.items()})

    def close(self, failed: bool = False) -> None:
        self._run.finish(exit_code=int(failed))
