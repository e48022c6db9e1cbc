/** Places keys that are parts of something long, and tells how much memory stays in use. */
import { RendezvousHash } from '../../../src/hash';
import { alone, usedMemory } from '../../support/alone';

export interface KeysReport {
  readonly bytes: number;
  readonly placed: number;
}

const LENGTH = 100_000;

alone(async ({ routingKeys }: { routingKeys: boolean }): Promise<KeysReport> => {
  const hasher = new RendezvousHash();
  for (const name of ['a:1', 'b:1', 'c:1']) hasher.addNode(name);
  const before = await usedMemory();
  let placed = 0;
  for (let i = 0; i < 500; i++) {
    const body = Buffer.alloc(LENGTH, 'x').toString('latin1') + `user:${i}:profile-and-more`;
    if (hasher.getNode(routingKeys ? body : body.slice(LENGTH)) !== undefined) placed++;
  }
  const after = await usedMemory();
  // It is in use.
  hasher.getNode('key');
  return { placed, bytes: after.heap - before.heap + after.buffers - before.buffers };
});
