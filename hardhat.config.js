// For those who know Hardhat: the same contracts, compiler and settings as foundry.toml. It needs
// Node.js 22.13 or newer, which `make hardhat` brings; nothing else in the project depends on it.

import { fileURLToPath } from 'node:url';

// The npm compiler itself, by absolute path, as Hardhat would otherwise download one.
const compiler = fileURLToPath(new URL('./node_modules/solc/soljson.js', import.meta.url));

export default {
  paths: { sources: './contracts', tests: './contracts/test', cache: './cache/hardhat' },
  solidity: {
    version: '0.8.37',
    path: compiler,
    settings: {
      viaIR: true,
      optimizer: { enabled: true, runs: 200 },
      evmVersion: 'prague',
      metadata: { bytecodeHash: 'none' },
    },
  },
  test: {
    solidity: {
      fuzz: { runs: 256 },
      fsPermissions: { readDirectory: ['./contracts'] },
    },
  },
};
