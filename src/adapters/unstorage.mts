// unstorage and Nitro import the default export of a driver's module. Of a CommonJS module that is everything it exports.
export { memcacheDriver, memcacheDriver as default } from './unstorage.js';
export type { MemcacheDriver, MemcacheDriverOptions } from './unstorage.js';
