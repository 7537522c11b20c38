#!/usr/bin/env python3
"""Scores of the reference pipeline's detector and minivision pair, one JSON object a line.

usage: reference_scores.py FOLDER_OF_REFERENCE_PY IMAGE…
"""

import json
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])

import cv2  # noqa: E402
import reference  # noqa: E402

detector, attack = reference.YuNet(), reference.Pad()
for path in sys.argv[2:]:
    image = cv2.imread(path, cv2.IMREAD_COLOR)
    faces = detector(image)[0]
    line = {"file": path, "faces": len(faces)}
    if faces:
        line |= {"detector": faces[0]["score"], "live": attack(image, faces[0]["box"])["minivision_live"]}
    print(json.dumps(line), flush=True)
