/**
 * What `version` and `stats` report: the memcached release whose behaviour this server has. Nothing may be added to it, because
 * clients parse it as numbers, and choose by it which commands they use.
 */
export const COMPATIBLE_VERSION = '1.6.45';
