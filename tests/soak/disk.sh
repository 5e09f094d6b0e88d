#!/usr/bin/env bash
# Ten million steps on a simulated disk, then a full tmpfs again and again: tests/soak/README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
SEEDS=${SEEDS:-25000} cargo test --release -p spanmill-collector --lib -- --nocapture journal::simulation
cargo build --workspace --exclude spanmill-php --release --bin spanmill
for _ in {1..20}; do
    cargo test --workspace --exclude spanmill-php --release --test durability -- --ignored full
done
