# What CI runs, by name. `just` alone lists the recipes; `just ci` is all of them in CI's order.

set shell := ["bash", "-euo", "pipefail", "-c"]

default:
    @just --list

# Everything CI runs.
ci: fmt lint deny proto doc test builtin shipped fuzz readme

# The formatter agrees with every tracked Rust file (not only those that `mod` lines reach).
fmt:
    git ls-files '*.rs' | xargs rustfmt --edition 2024 --check

# Clippy with warnings as errors, on every target.
lint:
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy -p lifesign-core --no-default-features --features rten -- -D warnings

# Licences, sources and banned crates. Advisories need a network beyond a registry: `just advisories`.
deny:
    cargo deny --log-level error check bans licenses sources

# Known vulnerabilities, from the RustSec database.
advisories:
    cargo deny check advisories

# buf's STANDARD lint on the wire contract.
proto:
    cd proto && buf lint

# rustdoc without warnings.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

# The README's test command.
test:
    cargo test --workspace

# What videos need of the core, without the rest of the workspace; `just test` runs these tests as well, since the server
# turns the feature on.
video:
    cargo test -p lifesign-core --features video --test video --test video_session

# The line to vendors, their clients and the conformance suite; `just test` runs these tests as well.
vendors:
    cargo test -p lifesign-core --features vendors,testing --test http --test vendors
    cargo test -p lifesign-e2e --test vendors

# The built-in pack's code path, with a tiny generated pack in its place.
builtin:
    cargo run --quiet -p lifesign-core --example tiny_pack -- target/tiny-pack
    EMBED_LIFESIGN_PACK="$PWD/target/tiny-pack" cargo test -p lifesign-core --features builtin --test pack_builtin
    EMBED_LIFESIGN_PACK="$PWD/target/tiny-pack" cargo run --quiet -- models verify builtin

# The shipped pack against the training code's own crops and rules; numpy, OpenCV and ONNX Runtime are enough.
shipped:
    cd models/train && python3 -m pytest -q tests/light

# All tests of the training code. Needs PyTorch (models/train/requirements.txt).
train:
    cd models/train && python3 -m pytest -q

# Each fuzz target for a few seconds: it still builds, and nothing is found on the way. The fixtures give `decode` and
# `demux` real files to start from; what they learn goes to the first folder.
fuzz seconds="20":
    mkdir -p core/fuzz/corpus/decode core/fuzz/corpus/demux
    cd core && RUSTC_BOOTSTRAP=1 cargo fuzz run decode fuzz/corpus/decode tests/frame_fixtures -- -max_total_time={{ seconds }} -rss_limit_mb=2048
    cd core && RUSTC_BOOTSTRAP=1 cargo fuzz run demux fuzz/corpus/demux tests/video_fixtures -- -max_total_time={{ seconds }} -rss_limit_mb=2048
    cd core && RUSTC_BOOTSTRAP=1 cargo fuzz run session -- -max_total_time={{ seconds }} -rss_limit_mb=2048

# Every command of the README, in order, in a copy of the tree.
readme:
    python3 tests/readme.py

# Per-stage medians and the ratio of the whole to the bare kernels.
bench *args:
    cargo run --release --quiet -- bench {{ args }}

# Criterion's stages.
criterion:
    cargo bench -p lifesign-core
