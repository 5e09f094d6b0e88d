#!/usr/bin/env bash
# Two agents and a centre killed in turn, then the centre down for ten minutes: tests/soak/README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cargo build --workspace --exclude spanmill-php --release --bin spanmill
fleet() { cargo test --workspace --exclude spanmill-php --release --test durability -- --ignored --nocapture fleet; }
SPANMILL_ROUNDS=${SPANMILL_ROUNDS:-20} fleet
SPANMILL_PAUSE_MS=20 SPANMILL_ROUNDS=1 SPANMILL_CENTRE_DOWN_S=${SPANMILL_CENTRE_DOWN_S:-600} fleet
