"""Files of one device read by another."""

from benchmarks import cross_device


def test_differences_are_seen(tmp_path, monkeypatch):
    decoded = iter([0, 0, 0, 2])

    def call(words, *, on_cpu):
        if words[0] == "decode":
            cross_device.write_image(words[2], cross_device.make_image() // 2 + next(decoded))

    monkeypatch.setattr(cross_device, "call", call)
    assert cross_device.differences(tmp_path, "fitted", []) == {"device": 0, "cpu": 2}
