"""Door: `python -m data.generate pde=ns_forcing [data.splits.train.samples=100] [data.root=/big/disk]`."""

import sys
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf


@hydra.main(config_path="pkg://configs", config_name="generate", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Makes every file of a data config that is not there yet, and prints where all of them are."""
    # JAX starts inside the task: --help, --cfg job and completion answer at once.
    from .sets import ensure_set, plan_sets

    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    try:
        planned = plan_sets(plain["pde"], plain["data"], plain["allow"])
    except (ValueError, ImportError) as error:  # a bad config, or a generator that refuses its arguments
        sys.exit(f"error: {error}")
    try:
        for maker, split in planned.values():
            for path in ensure_set(maker, split, plain["data"].get("root")).values():
                print(path, flush=True)
    except (ValueError, ImportError, OSError, FloatingPointError) as error:  # StorageError is an OSError
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
