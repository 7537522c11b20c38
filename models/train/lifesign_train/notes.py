"""The hand-written parts of the cards: what was not reached, how long was trained, what fails. Written anew for every pack."""

BLANK = ""

DETECTOR_FIRST = BLANK
DETECTOR_STEPS = BLANK
DETECTOR_FAILURES = BLANK
LIVENESS_FIRST = BLANK
LIVENESS_STEPS = BLANK
LIVENESS_FAILURES = BLANK
DEEPFAKE_FIRST = BLANK
DEEPFAKE_STEPS = BLANK
DEEPFAKE_FAILURES = BLANK
