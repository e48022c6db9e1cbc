import type { Counted } from '../../src/client/meter';
import type { Outcome } from '../../src/client/outcomes';

/** What a meter sees of a command of this many keys, all with one outcome. */
export function counted(verb: string, keyCount: number, outcome: Outcome): Counted<unknown> {
  return {
    verb,
    keyCount,
    ofCaller: true,
    scope: keyCount === 0 ? 'server' : keyCount === 1 ? 'key' : 'keys',
    outcome: () => outcome,
    tally: (_, tally) => {
      tally.add(outcome, keyCount || 1);
    },
  };
}
