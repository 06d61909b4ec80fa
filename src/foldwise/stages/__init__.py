"""The stages: a verb each, one module and one public function of the same name."""

#: Verb → one line of help; the command line and the reference page are made from it.
STAGES = {
    "init": "Look at a raw folder, or download one, and write competition.yaml, recipes and plan.",
    "prepare": "Hash and decode every image once into the shared cache.",
    "audit": "Look for duplicates, shortcuts and rare classes.",
    "split": "Put train rows into folds; rows that have a fold keep it.",
    "doctor": "Check recipes before money is spent on them.",
    "train": "Train the units of a recipe that are not done.",
    "features": "Write what a run's networks see in each image, before the head.",
    "predict": "Merge a run's units into out-of-fold and test predictions.",
    "evaluate": "Score a run with intervals and show its errors.",
    "blend": "Blend runs and score files into a run.",
    "compare": "Say whether one run is better than another, given noise.",
    "submit": "Write and validate a submission, hand it in, or check any file.",
    "ledger": "Keep the scores of all submissions.",
    "pick": "Choose the submissions that count at the end.",
    "views": "Measure what views are worth and cost, and propose which to average.",
    "report": "Write one HTML file to keep or send.",
    "run": "Do the plan in order, only what is not up to date.",
    "pack": "Make a folder that trains elsewhere, such as in a free notebook.",
    "push": "Upload a pack, run its notebook on Kaggle, and fetch what it wrote.",
    "session": "Train a pack in a notebook, save now and then, and end in time.",
    "sync": "Copy trained units between folders; what is further wins.",
    "replay": "Make a submission again from the ledger, and say what has changed since.",
    "costs": "Tell hours and money by run and machine, and what is left of quotas.",
}

#: Verb of `ledger` → one line of help.
LEDGER_VERBS = {
    "add": "Note the scores of a submission, or add one that was made elsewhere.",
    "list": "Show all submissions, and whether the leaderboard follows cross-validation.",
    "import": "Take over scores from a file; the same file again adds nothing.",
}
