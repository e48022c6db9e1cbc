/** @type {import('jest').Config} */
module.exports = {
  // The quick and the long tests share what was compiled.
  id: 'tsmemcache',
  testEnvironment: 'node',
  // Jest looks through these at every start: not through node_modules.
  roots: ['compare', 'examples', 'src', 'tests', 'tools'].map((name) => `<rootDir>/${name}`),
  testMatch: ['<rootDir>/{tests,examples}/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '\\.long\\.test\\.ts$'],
  // What the types say is for `npm run typecheck`.
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.json', transpilation: true }] },
  moduleNameMapper: {
    '^tsmemcache$': '<rootDir>/src/index.ts',
    '^tsmemcache/(.*)$': ['<rootDir>/src/$1/index.ts', '<rootDir>/src/adapters/$1.ts', '<rootDir>/src/telemetry/$1.ts'],
  },
  testSequencer: '<rootDir>/tests/support/longest-first.js',
  globalSetup: '<rootDir>/tests/support/global-setup.ts',
  // What takes this long hangs: a machine that is slow, or that others use, may need ten times what another does.
  testTimeout: 180_000,
  maxWorkers: 2,
  collectCoverageFrom: ['src/**/*.ts'],
  coverageReporters: ['text', 'lcov'],
};
