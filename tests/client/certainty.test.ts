import { Client, HashClient, MemcachePartialError } from '../../src';
import { Failures } from '../../src/client/certainty';
import { MemcacheServerError, type Certainty } from '../../src/errors';

function certaintyOf(...parts: readonly (Certainty | 'answered')[]): Certainty {
  const failures = new Failures();
  for (const [index, part] of parts.entries()) {
    if (part === 'answered') failures.addOutcome({ status: 'fulfilled', value: undefined });
    else failures.addOutcome({ status: 'rejected', reason: new MemcacheServerError('no', { certainty: part }) }, `server ${index}`);
  }
  return failures.toError('delete', 0).certainty;
}

it.each<[Certainty, readonly (Certainty | 'answered')[]]>([
  ['notSent', ['notSent', 'notSent']],
  ['executed', ['executed', 'executed']],
  ['executed', ['executed', 'answered']],
  ['maybeExecuted', ['notSent', 'executed']],
  ['maybeExecuted', ['executed', 'notSent']],
  ['maybeExecuted', ['notSent', 'maybeExecuted']],
  ['maybeExecuted', ['maybeExecuted', 'notSent']],
  ['maybeExecuted', ['notSent', 'answered']],
])('what several servers did is together %s: %j', (together, parts) => {
  expect(certaintyOf(...parts)).toBe(together);
});

it.each([
  ['Client', () => new Client('127.0.0.1:1')],
  ['HashClient', () => new HashClient(['127.0.0.1:1'])],
])('a setMany of %s of nothing but values that are too large, at a server that is gone, reached nobody', async (_, make) => {
  const client = make();
  const error: unknown = await client.setMany({ a: Buffer.alloc(1_048_577) }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(MemcachePartialError);
  expect(error).toMatchObject({ certainty: 'notSent', partial: ['a'] });
  await client.close();
});
