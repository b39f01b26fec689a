"""`python -m train VERB`: the verbs of training, each a flat script of its own."""

from __future__ import annotations

import argparse
import importlib
import sys

from edge_app.errors import AppError

VERBS = {
    "prepare": ("train.data.prepare", "read NTU RGB+D, PKU-MMD, Kinetics-skeleton or a PYSKL file into npz files"),
    "supervised": ("train.papers.encoder", "train Shift-GCN or ST-GCN on a split's seen classes of a prepared set"),
    "reproduce": (
        "train.papers.reproduce",
        "the papers' tables on NTU RGB+D or PKU-MMD, our figures beside theirs",
    ),
    "recipe": ("train.recipe", "train by a recipe: encoders, heads, calibration"),
    "encoder": ("train.encoder.train", "train the edge encoder"),
    "merge": ("train.encoder.merge", "put trained encoders side by side as one"),
    "head": ("train.heads.train", "train a ranker on a trained encoder's features"),
    "ablate": ("train.studies.ablate", "ablation: SCALE without each of its terms"),
    "compare": ("train.studies.compare", "all systems on the same features and splits, and their cost"),
    "shots": ("train.studies.few_shot", "few-shot study: shots of a motion beside its words"),
    "calibrate": ("train.heads.calibrate", "fit temperature and rejection on pseudo-unseen concepts"),
    "extract": ("train.data.extract", "run MediaPipe over videos once and keep the poses"),
    "sensor": ("train.synthetic.fit_sensor_noise", "fit the model of MediaPipe's errors to drawn clips"),
    "draw": ("train.synthetic.draw", "draw generated motion and run MediaPipe over it"),
    "folds": ("train.studies.folds", "cross-validation: sets, classes and people that training never saw"),
    "quiet": ("train.evaluate.quiet", "make more footage in which nothing happens"),
    "streams": ("train.evaluate.streams", "make streams in which a drawn person does one thing after another"),
    "develop": ("train.evaluate.development", "figures by which recipes are compared, in two halves"),
    "evaluate": ("train.evaluate.bundle", "measure a bundle: sets, videos, quiet footage, drawn people, scores"),
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    chosen = (sys.argv[1:] if argv is None else argv)[:1]
    for name, (module, text) in VERBS.items():
        verb = verbs.add_parser(name, help=text)
        if chosen == [name]:
            importlib.import_module(module).add_arguments(verb)
    arguments = parser.parse_args(argv)
    try:
        importlib.import_module(VERBS[arguments.verb][0]).run(arguments)
    except AppError as error:
        print(f"train {arguments.verb}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
