import { createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import { adapter, newClient } from './load.mjs';

const { KeyvMemcache } = adapter('keyv');
const client = newClient();
const elsewhere = newClient();
const newCache = (of) => createCache({ stores: [new Keyv({ store: new KeyvMemcache(of, { namespace: 'wrap' }) })] });
const [cache, other] = [newCache(client), newCache(elsewhere)];

let loads = 0;
const load = async () => ({ load: ++loads });
const wrapped = [await cache.wrap('a key', load, 60_000), await cache.wrap('a key', load, 60_000), await other.wrap('a key', load, 60_000)];
await cache.mset([{ key: 'a', value: 1 }, { key: 'b', value: [2] }]);
const many = await other.mget(['a', 'b', 'c']);
await cache.del('a');
const deleted = await cache.get('a');
await cache.clear();
const cleared = await cache.get('a key');
await cache.disconnect();
const open = await client.set('still-open', 1);
await Promise.all([client.close(), elsewhere.close()]);
console.log(JSON.stringify({ loads, wrapped, many, deleted: deleted ?? null, cleared: cleared ?? null, open }));
