// Keyv 6, which is newer than the one that is installed: FOLDER is where it was fetched.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { adapter, newClient, root } from './load.mjs';

const { Keyv } = createRequire(`${process.env.FOLDER}/`)('keyv');
const { KeyvMemcache } = adapter('keyv');
const client = newClient();
const [one, two, own] = [new Keyv({ store: new KeyvMemcache(client), namespace: 'one' }), new Keyv({ store: new KeyvMemcache(client), namespace: 'two' }), new Keyv({ store: new KeyvMemcache(client, { namespace: 'own' }) })];

const all = async (key) => Promise.all([one, two, own].map((keyv) => keyv.get(key)));
for (const [index, keyv] of [one, two, own].entries()) await keyv.set('k', index + 1);
const stored = await all('k');
await one.clear();
const cleared = await all('k');
await own.clear();
const many = [await one.setMany([{ key: 'a', value: 1 }, { key: 'b', value: 2, ttl: 300 }]), await one.getMany(['a', 'b', 'c']), await one.hasMany(['a', 'c'])];
await sleep(350);
const expired = [await one.get('b'), await one.has('b')];

// Nobody listens to the errors of this one.
const lost = new root.Client('127.0.0.1:1');
const unheard = new Keyv({ store: new KeyvMemcache(lost), namespace: 'lost' });
const failed = [await unheard.get('k'), await unheard.set('k', 1), await unheard.has('k'), await unheard.clear().catch(({ code }) => code)];
await Promise.all([client.close(), lost.close()]);
console.log(JSON.stringify({ stored, cleared, many, expired, failed }));
