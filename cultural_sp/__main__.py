"""``python -m cultural_sp PROGRAM ...``: the command ``cultural-sp``, as a module for launchers that want one."""

from cultural_sp.cli.command import main

if __name__ == "__main__":
    main()
