"""Train the positive control: ``python experiments/positive_control.py [steps=800]``; goes on where it was interrupted."""

from cultural_sp.cli.programs import positive_control_main

if __name__ == "__main__":
    positive_control_main()
