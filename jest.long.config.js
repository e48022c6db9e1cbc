/** The long proofs: planted defects, crash loops, the packed package, everything that takes its time. `npm run test:long` */
const quick = require('./jest.config.js');

/** @type {import('jest').Config} */
module.exports = {
  ...quick,
  testMatch: ['<rootDir>/{tests,examples}/**/*.long.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  globalSetup: '<rootDir>/tests/support/long-setup.ts',
  testTimeout: 600_000,
  globalTeardown: '<rootDir>/tests/support/long-teardown.ts',
};
