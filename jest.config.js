/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/{tests,examples}/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '\\.long\\.test\\.ts$'],
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.json' }] },
  moduleNameMapper: {
    '^tsmemcache$': '<rootDir>/src/index.ts',
    '^tsmemcache/(.*)$': ['<rootDir>/src/$1/index.ts', '<rootDir>/src/adapters/$1.ts', '<rootDir>/src/telemetry/$1.ts'],
  },
  globalSetup: '<rootDir>/tests/support/global-setup.ts',
  testTimeout: 30_000,
  maxWorkers: 2,
  collectCoverageFrom: ['src/**/*.ts'],
  coverageReporters: ['text', 'lcov'],
};
