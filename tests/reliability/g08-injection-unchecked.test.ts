/** What the connection holds if a hostile key ever got past the key check: the commands are made by hand, unchecked. */
import { MemcacheError, StringSerde } from '../../src';
import { forValues, GetCommand } from '../../src/client/commands/retrieval';
import { StoreCommand } from '../../src/client/commands/storage';
import { Connection } from '../../src/client/connection';
import { describeWithMemcached } from '../support/describe';
import { startMemcached } from '../support/memcached';
import { SeededRandom } from '../support/seeded-random';
import { fromEnvironment, report } from './report';

const ROUNDS = fromEnvironment('RELIABILITY_UNCHECKED', 1000);
const SEED = 8;
const KEYS = 20;

const serde = new StringSerde();

describeWithMemcached('commands whose keys nobody has checked', () => {
  it('never move a reply to another call', async () => {
    const memcached = await startMemcached();
    const connection = new Connection(memcached.address, { timeout: 2000 });
    const random = new SeededRandom(SEED);
    const store = (key: string, value: string): Promise<boolean> =>
      connection.execute(new StoreCommand('set', key, key, { flags: 16, exptime: 0, block: value }, false));
    let wrong = 0;
    let right = 0;
    const lost = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < KEYS; i++) await store(`k${i}`, `value of k${i}`).catch(() => undefined);
      const other = `k${random.below(KEYS)}`;
      const key = random.pick(['x'.repeat(251 + random.below(2000)), `a b`, `a 0 0 1\r\nx\r\nget ${other}`, `a\r\nget ${other}`, `a\r\nset ${other} 0 0 4`, '']);
      const block = random.pick([`get ${other}`, `get ${other}\r\nget ${other}`, 'mn', `set y 0 0 1\r\nz`, 'version\r\nversion', 'VALUE k1 16 1\r\nx']);
      const at = random.below(KEYS);
      const calls = Array.from({ length: KEYS }, (_, i) => {
        if (i === at) void store(key, block).catch(() => undefined);
        const asked = `k${i}`;
        return connection.execute(new GetCommand(forValues(serde), asked, asked)).then(
          (value) => {
            if (value === `value of ${asked}`) right++;
            // An injected command changes this one, and an injected get has a perfect reply, in which the others are missing.
            // What is refused by the server must not even do that, although memcached 1.6.18 then executes the block.
            else if (asked !== other && (value !== undefined || !key.includes('\n'))) wrong++;
          },
          (error: unknown) => {
            const code = error instanceof MemcacheError ? error.code : String(error);
            lost.set(code, (lost.get(code) ?? 0) + 1);
          },
        );
      });
      await Promise.all(calls);
    }
    await connection.close();
    await memcached.stop();
    expect([...lost.keys()].filter((code) => !code.startsWith('MEMCACHE_'))).toEqual([]);
    expect(right).toBeGreaterThan(ROUNDS);
    expect([...lost.values()].reduce((a, b) => a + b, 0)).toBeGreaterThan(ROUNDS);
    report({ goal: 'G08', claim: 'With the key check taken away, no call is given the value of another; nor is there a false miss, unless a whole get was injected', seed: SEED, n: ROUNDS * KEYS, value: wrong, limit: 0, pass: wrong === 0 });
  });
});
