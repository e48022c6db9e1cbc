// unstorage and Nitro import the default export of a driver's module. In a CommonJS module that would be the object of all exports.
export { memcacheDriver, memcacheDriver as default } from './unstorage.js';
export type { AdapterClient, Failures, ItemOptions, MemcacheDriver, MemcacheDriverOptions } from './unstorage.js';
