"""Bring finished runs into wandb: ``python experiments/sync_wandb.py outputs/align``."""

from cultural_sp.tracking.sync import main

if __name__ == "__main__":
    main()
