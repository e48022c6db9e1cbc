const Sequencer = require('@jest/test-sequencer').default;

/** Those that take longest, so that none of them begins when all others are done. Jest would go by the size of the files. */
const LONGEST = [
  'g09-planted-defects',
  'model-seed-1',
  'model-seed-2',
  'bundlers',
  'snippets',
  'versions',
  'next',
  'runtimes',
  'g24-differential',
  'speed',
  'peers',
  'tools',
];

/** The place of a file in the table; the last for all that it does not name. */
function place({ path }) {
  const index = LONGEST.findIndex((name) => path.endsWith(`/${name}.long.test.ts`));
  return index < 0 ? LONGEST.length : index;
}

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).sort((a, b) => place(a) - place(b));
  }
};
