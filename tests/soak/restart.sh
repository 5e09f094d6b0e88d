#!/usr/bin/env bash
# How long a restart with a GiB of journal takes, on the disk of DIR: tests/soak/README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec cargo bench -p spanmill-collector --bench restart -- "$@"
