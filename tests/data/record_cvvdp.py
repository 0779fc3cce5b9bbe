"""Records what ColorVideoVDP 0.5.7 says about the pairs of tests/vision_pairs.py, in an environment of its own:

    python -m venv env && env/bin/pip install torch cvvdp==0.5.7 && env/bin/python tests/data/record_cvvdp.py
"""

import importlib.util
import json
import pathlib
import sys
import types

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
COLORS = [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [0.8, 0.2, 0.1], [0.05, 0.3, 0.9]]


def vision_pairs():
    spec = importlib.util.spec_from_file_location("vision_pairs", HERE.parent / "vision_pairs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package():
    # Torchvision registers compiled operators at import, which torch may lack; the blur that is used needs none.
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
    import pycvvdp

    return pycvvdp


def recorded(pycvvdp, pairs, case, heatmap=None):
    metric = pycvvdp.cvvdp(display_name=case.display, quiet=True, device=torch.device("cpu"), heatmap=heatmap)
    test, reference = (torch.tensor(x) for x in pairs.pair(case))
    return metric.predict(test, reference, dim_order="FHWC" if case.frames else "HWC", frames_per_second=case.rate)


def main():
    pycvvdp, pairs = package(), vision_pairs()
    jods = {}
    for case in (*pairs.IMAGES, *pairs.VIDEOS):
        jods[case.name] = round(float(recorded(pycvvdp, pairs, case)[0]), 6)
        print(case.name, jods[case.name], flush=True)
    case = pairs.IMAGES[1]
    heatmap = recorded(pycvvdp, pairs, case, heatmap="raw")[1]["heatmap"].float().numpy()[0, 0, 0]
    displays = {}
    models = json.loads((pathlib.Path(pycvvdp.__file__).parent / "vvdp_data/display_models.json").read_text())
    colors = torch.tensor(COLORS).T.reshape(1, 3, 1, 1, -1)
    for name in models:
        light = pycvvdp.vvdp_display_photometry.load(name, [])
        scale = 500.0 if light.EOTF == "linear" else 1.0
        shown = light.source_2_target_colorspace(colors * scale, "DKLd65")
        displays[name] = {"pixels_per_degree": pycvvdp.vvdp_display_geometry.load(name, []).get_ppd(),
                          "dkl": np.round(shown[0, :, 0, 0].numpy().T.astype(float), 5).tolist()}
    record = {"source": "cvvdp 0.5.7, torch " + torch.__version__.split("+")[0] + ", CPU", "jod": jods,
              "map": {"case": case.name, "every": 8, "values": np.round(heatmap[::8, ::8].astype(float), 5).tolist()},
              "colors": COLORS, "displays": displays}
    text = json.dumps(record, indent=1)
    (HERE / "cvvdp.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
