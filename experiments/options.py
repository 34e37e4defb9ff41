"""List every option of a run with its default and meaning: ``python experiments/options.py [WORD...]``."""

from cultural_sp.cli.options import main

if __name__ == "__main__":
    main()
