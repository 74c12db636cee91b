"""The whole loop: train, add a paper, retrain, rank. It takes a minute."""

import perovshell

workspace = perovshell.Workspace("loop-workspace")
print(workspace.train(quick=True).lines()[-1])
sample = {"name": "a", "core": "CsPbBr3", "shell": "SiO2", "structure": "janus", "pl_peak_nm": 515}
paper = {"paper_id": "smith2026", "source": "an example", "samples": [sample]}
print(workspace.add(paper))
print(workspace.retrain())
ranking = perovshell.rank("green-emitter", model=workspace.load(), top=5)
print(ranking.to_frame()[["core", "shell", "pl_peak_nm", "plqy_percent"]].to_string())
