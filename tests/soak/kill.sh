#!/usr/bin/env bash
# 200 kill -9 and 50 SIGTERM under load: tests/soak/README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cargo build --workspace --exclude spanmill-php --release --bin spanmill
SPANMILL_KILLS=${SPANMILL_KILLS:-200} SPANMILL_STOPS=${SPANMILL_STOPS:-50} \
    cargo test --workspace --exclude spanmill-php --release --test durability -- --ignored --nocapture kill
