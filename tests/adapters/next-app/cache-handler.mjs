import { Client } from 'tsmemcache';
import { createCacheHandler } from 'tsmemcache/next';

export default createCacheHandler(new Client(process.env.SERVER));
