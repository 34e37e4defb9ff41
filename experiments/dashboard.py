"""A wandb workspace and report over a sweep: ``python experiments/dashboard.py outputs/align --entity me``."""

from cultural_sp.reporting.wandb_tracking.dashboard import main

if __name__ == "__main__":
    main()
