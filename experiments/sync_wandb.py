"""Bring finished runs into wandb: ``python experiments/sync_wandb.py outputs/align``."""

from cultural_sp.reporting.wandb_tracking.sync import main

if __name__ == "__main__":
    main()
