"""What a process that predicts loads: numpy, and nothing of the training stack."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "joblib",
    "matminer",
    "matplotlib",
    "mlflow",
    "pandas",
    "pymatgen",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "threadpoolctl",
    "xgboost",
)
"""Packages of the extra `train`, and what they bring."""
SPACE = {"cores": ["CsPbBr3"], "shells": ["SiO2", "ZnS"], "pl_window_nm": [500, 540]}


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("using", ["python", "command line", "ranking", "service"])
def test_prediction_needs_numpy_alone(model_folder: Path, tmp_path: Path, using: str) -> None:
    rows = tmp_path / "in.csv"
    rows.write_text("core,shell\nCsPbBr3,SiO2\n")
    use = {
        "python": (
            f"import perovshell\nmodel = perovshell.load({str(model_folder)!r})\n"
            "model.predict([{'core': 'CsPbBr3', 'shell': 'SiO2'}])\n"
        ),
        "ranking": (
            "import perovshell\n"
            f"model = perovshell.load({str(model_folder)!r})\n"
            f"perovshell.rank({SPACE!r}, model=model)\n"
        ),
        "service": (
            "from starlette.testclient import TestClient\n"
            "from perovshell.serve.service.app import create_app\n"
            "from perovshell.serve.service.source import Champion, Source\n"
            "from perovshell.workspace.folder import WorkspaceFolder\n"
            f"workspace = WorkspaceFolder({str(tmp_path)!r})\n"
            f"source = Source(workspace, {str(model_folder)!r})\n"
            "body = {'rows': [{'core': 'CsPbBr3', 'shell': 'SiO2'}]}\n"
            "with TestClient(create_app(Champion(source))) as client:\n"
            "    assert client.post('/v1/predict', json=body).status_code == 200\n"
        ),
        "command line": (
            "import sys\nfrom perovshell.cli import app\n"
            f"sys.argv = ['perovshell', 'predict', {str(rows)!r}, '-o', {str(tmp_path / 'o')!r}, "
            f"'--model', {str(model_folder)!r}]\n"
            "app(standalone_mode=False)\n"
        ),
    }[using]
    loaded = run(f"{use}import sys\nprint([n for n in {HEAVY} if n in sys.modules])")
    assert loaded.splitlines()[-1] == "[]"


def test_importing_the_package_loads_not_even_numpy() -> None:
    assert run("import perovshell, sys\nprint('numpy' in sys.modules)") == "False"


def test_every_module_can_be_imported_without_the_training_stack() -> None:
    code = f"""
import importlib, pkgutil, sys
import perovshell
names = [m.name for m in pkgutil.walk_packages(perovshell.__path__, 'perovshell.')]
names = [n for n in names if not n.endswith(('pyfunc_model', '__main__'))]
for name in names:
    importlib.import_module(name)
print([n for n in {HEAVY} if n in sys.modules], len(names) > 40)
"""
    assert run(code) == "[] True"
