"""``python -m cultural_sp``: the main job, as a module for launchers that want one."""

from cultural_sp.cli.programs import align_main

if __name__ == "__main__":
    align_main()
