"""Parts of scripts/train_studio_judge.py: the studio's judge made anew, from attempts to the shipped file."""
