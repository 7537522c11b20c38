"""The hand-written parts of the cards: what was not reached, how long was trained, what fails. Written anew for every pack."""

BLANK = ""

DETECTOR_FIRST = """**Landmarks miss the target:** the mean error is 8.7 % of the eye distance, 5 % was wanted (YuNet itself, at 256 instead of 640 pixels, moves
its own landmarks by 3.1 %). Recall, false alarms and cost reach theirs."""
DETECTOR_STEPS = """The shipped weights: 12,000 steps, 250,000 scenes, an hour and a quarter on a shared core
and a half. Tried before: boxes and landmarks alone without the teacher's features (93.3 % recall and 15.1 % landmark error on `val` after 4,500 steps); a head of
its own for each level; only composed scenes without the last half's natural ones (94.6 %, 13.3 % at step 3,750)."""
DETECTOR_FAILURES = """- A masked face turned to the side in dim light, as when somebody looks over a shoulder, is not found at all (four frames of one webcam replay).
- Two heads that touch: one box is laid over both, or the smaller neighbour's, and one face is lost.
- A full profile against a dark wall: the box sits on the cheek, the far eye is guessed a face's width away.
- Small faces in groups and at a distance, below a fifth of the frame's height, above all where the person is drawn or painted.
- Faces bleached by light from behind, with white skin running into a white sky.
- Behind a mask, sunglasses or a hand nose and mouth are guesses: the landmark error doubles (18 % on covered faces).
- A pattern with two dark spots over a bar, such as a mask shown flat beside its wearer, can score above a face."""
LIVENESS_FIRST = BLANK
LIVENESS_STEPS = BLANK
LIVENESS_FAILURES = BLANK
DEEPFAKE_FIRST = BLANK
DEEPFAKE_STEPS = BLANK
DEEPFAKE_FAILURES = BLANK
EMBEDDING_FIRST = BLANK
EMBEDDING_STEPS = BLANK
EMBEDDING_FAILURES = BLANK
