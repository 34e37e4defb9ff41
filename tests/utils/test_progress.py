from cultural_sp.utils.progress import progress, with_progress


def test_where_there_is_no_terminal_every_count_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)
    with progress("aligned", 3) as bar:
        bar.mininterval = 0
        for step in range(3):
            bar.set_postfix_str(f"best loss {step}", refresh=False)
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" |")[0] for line in lines] == [f"aligned: {n}/3" for n in range(4)]
    assert lines[-1].endswith("best loss 2")


def test_only_many_things_get_a_bar(capsys):
    assert list(with_progress("items", range(3))) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    assert list(with_progress("items", range(100))) == list(range(100))
    assert "items: 100/100" in capsys.readouterr().err
