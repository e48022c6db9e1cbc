// One value serves both kinds of handlers.
const handler = require.resolve('./cache-handler.mjs');

module.exports = {
  output: 'standalone',
  outputFileTracingRoot: __dirname,
  cacheHandler: handler,
  cacheHandlers: { default: handler },
  cacheMaxMemorySize: 0,
  experimental: { useCache: true },
};
