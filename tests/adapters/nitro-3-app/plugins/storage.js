import { definePlugin } from 'nitro';
import { useStorage } from 'nitro/storage';
import { Client } from 'tsmemcache';
import { memcacheDriver } from 'tsmemcache/unstorage';

export default definePlugin(() => {
  const client = new Client(process.env.SERVER);
  useStorage().mount('cache', memcacheDriver({ client, base: 'nitro' }));
});
