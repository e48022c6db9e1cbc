/** Reads a pickle with one long text, and tells how much more memory the process has used than before. */
import { readPickle } from '../../../src/serde/pickle/reader';
import { alone } from '../../support/alone';

export interface LongTextReport {
  readonly bytes: number;
  readonly length: number;
}

alone(({ before, unit, after, length }: { before: string; unit: string; after: string; length: number }): Promise<LongTextReport> => {
  const pickle = Buffer.concat([Buffer.from(before, 'latin1'), Buffer.alloc(length, unit, 'latin1'), Buffer.from(after, 'latin1')]);
  const highest = process.resourceUsage().maxRSS;
  const text = readPickle(pickle, 0, pickle.length) as string;
  return Promise.resolve({ length: text.length, bytes: (process.resourceUsage().maxRSS - highest) * 1024 });
});
