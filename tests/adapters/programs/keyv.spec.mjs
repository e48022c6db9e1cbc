// Keyv's own tests of a store, less those of the iterator: memcached lists no keys.
import keyvTestSuite from '@keyv/test-suite';
import { Keyv } from 'keyv';
import * as vitest from 'vitest';
import { adapter, newClient } from './load.mjs';

const { KeyvMemcache } = adapter('keyv');
const client = newClient();

const store = () => new KeyvMemcache(client);
keyvTestSuite(vitest, Keyv, store);

vitest.afterAll(() => client.close());
