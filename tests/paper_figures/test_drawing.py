import matplotlib.pyplot as plt

from paper_figures import drawing
from paper_figures.tables import read_table


def draw(data):
    figure, axis = plt.subplots()
    axis.plot(data[1]["x"])
    return figure


def main(*words):
    return drawing.main("none", read_table, {"picture": draw}, ["program", *words])


def test_draws_from_a_table(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("x\n1\n2\n")
    assert main(f"--table={tmp_path / 't.csv'}", f"--out={tmp_path}") == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "picture.png"), str(tmp_path / "picture.pdf")]


def test_mistakes_are_one_sentence(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("y\n1\n")
    for words, status, said in [
            (["--table=nowhere.csv"], 1, "cannot be read"), (["--typo"], 2, "typo"), (["word"], 2, "unexpected"),
            ([f"--table={tmp_path / 't.csv'}"], 1, "column 'x' is missing")]:
        assert main(f"--out={tmp_path}", *words) == status
        err = capsys.readouterr().err
        assert said in err and err.count("\n") == 1
