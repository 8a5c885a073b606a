"""Train an operator: `python train.py experiment=ns_tfno`."""

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from training.config import register

register()


@hydra.main(version_base="1.3", config_path="pkg://configs", config_name="train")
def main(cfg: DictConfig) -> float | None:
    # JAX is imported here, not above: `--help`, `--cfg job` and Tab completion answer at once.
    from training.errors import friendly_errors
    from training.run import run

    with friendly_errors(enabled=HydraConfig.get().mode != RunMode.MULTIRUN):
        return run(cfg)


if __name__ == "__main__":
    main()
