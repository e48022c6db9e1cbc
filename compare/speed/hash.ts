/** `npm run bench -- hash`: what each placement costs per key; keys are of 19 characters. */
import { bench, do_not_optimize, group, run } from 'mitata';
import { KetamaHash, ModuloHash, murmur3, RendezvousHash } from '../../src/hash';
import type { Hasher } from '../../src/hash';

const KEYS = Array.from({ length: 1024 }, (_, i) => `user:profile:${String(i).padStart(6, '0')}`);

let turn = 0;
function nextKey(): string {
  turn = (turn + 1) & 1023;
  return KEYS[turn] ?? '';
}

function withNodes(hasher: Hasher, count: number, weightOf: (index: number) => number = () => 1): Hasher {
  for (let i = 0; i < count; i++) hasher.addNode(`10.0.0.${i}:11211`, weightOf(i));
  hasher.getNode(''); // makes the table
  return hasher;
}

bench('murmur3', () => do_not_optimize(murmur3(nextKey())));

for (const count of [3, 10, 100]) {
  const hashers: Record<string, Hasher> = {
    rendezvous: withNodes(new RendezvousHash(), count),
    'rendezvous, weights': withNodes(new RendezvousHash(), count, (index) => 1 + (index % 3)),
    'ketama, one-at-a-time': withNodes(new KetamaHash(), count),
    'ketama, md5': withNodes(new KetamaHash({ weighted: true }), count),
    'modulo, python-memcached': withNodes(new ModuloHash({ hash: 'python-memcached' }), count),
    'modulo, one-at-a-time': withNodes(new ModuloHash({ hash: 'one-at-a-time' }), count),
  };
  group(`${count} nodes`, () => {
    for (const [name, hasher] of Object.entries(hashers)) {
      bench(name, () => do_not_optimize(hasher.getNode(nextKey())));
    }
  });
}

void run();
