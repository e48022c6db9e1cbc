const { Client } = require('tsmemcache');
const { createCacheHandler } = require('tsmemcache/next');

module.exports = createCacheHandler(new Client(process.env.SERVER));
