const Sequencer = require('@jest/test-sequencer').default;

/**
 * Those that take longest, so that none of them begins when all others are done. Where nothing has run before, Jest goes by the size of the
 * files, and that of the contract is one of the smallest.
 */
const LONGEST = [
  'contract',
  'g16-stalls',
  'misbehaving-servers',
  'g08-injection-unchecked',
  'model',
  'persistence',
  'overload',
  'g09-planted-defects.long',
  'model-seed-1.long',
  'model-seed-2.long',
  'g01-wrong-values-simulated.long',
  'versions.long',
  'next.long',
  'bundlers.long',
  'runtimes.long',
  'tarball.long',
  'snippets.long',
  'g24-differential.long',
  'pause.long',
  'examples.long',
  'frameworks.long',
  'crash.long',
  'package.long',
  'speed.long',
  'peers.long',
  'tools.long',
];

/** The place of a file in the table; the last for all that it does not name. */
function place({ path }) {
  const index = LONGEST.findIndex((name) => path.endsWith(`/${name}.test.ts`));
  return index < 0 ? LONGEST.length : index;
}

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).sort((a, b) => place(a) - place(b));
  }
};
