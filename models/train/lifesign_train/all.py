"""Everything in order: `python -m lifesign_train.all`. Goes on where it was stopped."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from .data import REPOSITORY, WORK
from .pack import PARTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--target", type=Path, default=REPOSITORY / "models" / "builtin")
    parser.add_argument("--test", action="store_true", help="also measure the test split; do so once, when nothing will be changed any more")
    args = parser.parse_args()
    common = ["--work", str(args.work), "--pack", str(args.work / "pack"), "--threads", str(args.threads), "--seed", str(args.seed), "--device", args.device]
    for module in PARTS:
        subprocess.run([sys.executable, "-m", f"lifesign_train.{module}", "all", *common], check=True)
        if args.test:
            subprocess.run([sys.executable, "-m", f"lifesign_train.{module}", "measure", "--split", "test", *common], check=True)
    if not all((args.work / f"{role}-test.json").exists() for role in PARTS):
        print("no pack: a card reports the test split, which is measured once, with --test")
        return
    subprocess.run([sys.executable, "-m", "lifesign_train.pack", "--source", str(args.work / "pack"), "--target", str(args.target), "--work", str(args.work)], check=True)


if __name__ == "__main__":
    main()
