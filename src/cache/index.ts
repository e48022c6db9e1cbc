/** A read-through cache on any client: one load per key for all processes, and never an outdated value for good. */
export { ReadThroughCache } from './read-through-cache';
export { RequestScope } from './request-scope';
export type { CacheOptions, CircuitOptions, EntryOptions, NearCacheOptions } from './cache-options';
export type { CacheEvent, CacheEventName, CacheGauge, CacheStats, LoadContext, Loader, ManyLoadContext, ManyLoaded, ManyLoader, Zone } from './types';
export { CacheLoadTimeoutError } from '../errors';
