// One value serves both kinds of handlers.
const handler = require.resolve('./cache-handler.js');

module.exports = {
  cacheHandler: handler,
  cacheHandlers: { default: handler },
  cacheMaxMemorySize: 0,
  experimental: { useCache: true },
};
