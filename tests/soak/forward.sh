#!/usr/bin/env bash
# The long forms of the forwarding tests (tests/tests/forwarding), with figures: Jaeger down for SECONDS under load and
# back, destinations that are stuck, destinations that fail in every way. Needs what `tests/run e2e` has installed.
#
#   tests/soak/forward.sh [SECONDS]     300 without
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cargo build --release -p spanmill-collector --bin spanmill
exec cargo run --release -p spanmill-tests --example soak_forward -- "${1:-300}"
