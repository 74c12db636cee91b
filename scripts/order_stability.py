"""How much a paper, or one more laboratory, moves the order of rankings: `make order`, 15 min."""

import tempfile
from pathlib import Path

import joblib
from _campaign import forget_settings

from perovshell.data.dataset import Dataset
from perovshell.model import Model
from perovshell.research.order_stability import Order, summary, with_laboratory, without_paper
from perovshell.serve.space.file import read_space
from perovshell.serve.space.space import DesignSpace
from perovshell.training.train import TrainedModel, train
from perovshell.training.validation.nested import Settings

SPACE = "green-emitter"
LABORATORIES = 3


def main() -> None:
    """Print the rank correlations."""
    forget_settings()
    dataset = Dataset.bundled()
    with tempfile.TemporaryDirectory() as folder:
        trained = train(dataset, Path(folder), Settings())
        model = Model.from_folder(trained.folder)
        space = read_space(SPACE, model.predictor.featurizer.reader)
        order = Order.of(space, model)
        print(f"{SPACE}: {len(order.names)} combinations; first: {', '.join(order.first)}")
        for seed in range(LABORATORIES):
            more = with_laboratory(dataset, model, Path(folder), seed)
            after = Model.from_folder(train(more, Path(folder), Settings()).folder)
            other = Order.of(space, after)
            print(f"laboratory {seed}: {summary([order.correlation(other)], [order.kept(other)])}")
        jobs = joblib.Parallel(n_jobs=2)
        pairs = jobs(
            joblib.delayed(left_out)(trained, dataset, space, order, paper)
            for paper in dataset.papers
        )
    by_paper = dict(zip(dataset.papers, pairs, strict=True))
    print(f"one paper left out: {summary(*map(list, zip(*pairs, strict=True)))}")
    moving = sorted(by_paper, key=lambda paper: by_paper[paper])[:5]
    texts = [f"{paper} {by_paper[paper][0]:.4f}" for paper in moving]
    print(f"the papers that move it most: {', '.join(texts)}")


def left_out(
    trained: TrainedModel, dataset: Dataset, space: DesignSpace, order: Order, paper: str
) -> tuple[float, int]:
    """Return the rank correlation and the overlap without a paper."""
    other = Order.of(space, without_paper(trained, dataset, paper))
    return order.correlation(other), order.kept(other)


if __name__ == "__main__":
    main()
