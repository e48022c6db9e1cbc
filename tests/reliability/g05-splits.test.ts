import fc from 'fast-check';
import { Client } from '../../src';
import { MemoryServer } from '../support/scripted-server';
import { transcripts } from '../support/transcripts';
import { report } from './report';

let cuts = 0;

it.each(transcripts)('%s is the same however it is cut', async (_, call, reply, result) => {
  const memory = new MemoryServer();
  const client = new Client('server', { connect: memory.connect });
  const expectSame = async (pieces: string[]): Promise<void> => {
    memory.next(() => pieces);
    expect(await call(client)).toEqual(result);
    await client.close();
    cuts++;
  };
  for (let at = 0; at <= reply.length; at++) await expectSame([reply.slice(0, at), reply.slice(at)]);
  for (let first = 1; first < reply.length; first++) {
    for (let second = first + 1; second < reply.length; second++) {
      await expectSame([reply.slice(0, first), reply.slice(first, second), reply.slice(second)]);
    }
  }
  await expectSame(Array.from(reply));
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(reply.length), { maxLength: 12 }), async (places) => {
      const at = [0, ...places.sort((a, b) => a - b), reply.length];
      await expectSame(at.slice(1).map((end, i) => reply.slice(at[i], end)));
    }),
    { numRuns: 100 },
  );
  memory.close();
});

it('all cuts were made', () => {
  report({ goal: 'G05', claim: 'Every 2-way and 3-way cut of a reply, and byte by byte, gives the same result', n: cuts, value: 0, limit: 0, pass: cuts > 5000 });
});
