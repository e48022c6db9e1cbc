import { isMainThread } from 'node:worker_threads';
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Time, chance and sockets come through `src/runtime` and the transports, so that tests can put their own in place. */
const seams = {
  'no-restricted-globals': [
    'error',
    ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'performance'].map((name) => ({
      name,
      message: 'Take a Clock (src/runtime/clock.ts).',
    })),
    { name: 'eval', message: 'Never.' },
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: 'Take a Clock (src/runtime/clock.ts).' },
    { object: 'Math', property: 'random', message: 'Take a Random (src/runtime/random.ts).' },
  ],
  'no-restricted-imports': [
    'error',
    {
      paths: ['net', 'tls', 'dns', 'child_process', 'fs', 'timers'].flatMap((name) => [
        { name, message: 'Only the transports, the server and the command line touch the system.' },
        { name: `node:${name}`, message: 'Only the transports, the server and the command line touch the system.' },
      ]),
    },
  ],
};

// In the workers of `--concurrency` typescript-eslint does not see that this is one run, after which nothing is linted again,
// and would keep a language service up to date in place of making one program.
if (!isMainThread) process.env.TSESTREE_SINGLE_RUN = 'true';

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/', '.snippets/', '.observation-*/'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Numbers and booleans read well in templates.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // The protocol's bytes are control characters.
      'no-control-regex': 'off',
      // `undefined` as a result of a command without one.
      '@typescript-eslint/no-invalid-void-type': 'off',
      // Methods of a seam that have nothing to do say so in a comment.
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/explicit-function-return-type': ['error', { allowExpressions: true }],
      'no-restricted-syntax': [
        'error',
        { selector: 'TSAsExpression > TSAsExpression > TSUnknownKeyword', message: 'No `as unknown as`: change the types.' },
      ],
    },
  },
  { files: ['src/**/*.ts'], rules: seams },
  {
    files: ['src/**/*.ts'],
    rules: { '@typescript-eslint/no-restricted-types': ['error', { types: { NoInfer: 'TypeScript before 5.4 does not have it: take Fixed (src/serde/serde.ts).' } }] },
  },
  { files: ['src/runtime/**/*.ts'], rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off' } },
  // A constant of a class is a getter there: a field would be eight bytes in each call that waits.
  { files: ['src/client/command.ts', 'src/client/commands/**/*.ts', 'src/cache/exchange/**/*.ts'], rules: { '@typescript-eslint/class-literal-property-style': 'off' } },
  {
    files: ['src/client/wire/transport.ts', 'src/client/server-address.ts', 'src/hash/discovery/dns.ts', 'src/server/net/*.ts', 'src/cli/**/*.ts'],
    rules: { 'no-restricted-imports': 'off' },
  },
  {
    files: ['tests/**/*.ts', 'compare/**/*.ts', 'tools/**/*.ts', 'examples/**/*.ts'],
    rules: {
      '@typescript-eslint/explicit-function-return-type': 'off',
      // Tests pass what the types forbid, to see it refused.
      'no-restricted-syntax': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { module: 'writable', require: 'readonly', __dirname: 'readonly', process: 'readonly', console: 'readonly', fetch: 'readonly', Response: 'readonly' } },
    // Those that end in .js are CommonJS.
    rules: { '@typescript-eslint/no-require-imports': 'off', '@typescript-eslint/explicit-function-return-type': 'off' },
  },
);
