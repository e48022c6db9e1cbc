/* global useStorage -- Nitro gives it */
import { Client } from 'tsmemcache';
import { memcacheDriver } from 'tsmemcache/unstorage';

export default () => {
  const client = new Client(process.env.SERVER);
  useStorage().mount('cache', memcacheDriver({ client, base: 'nitro' }));
};
