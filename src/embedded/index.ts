/** A cache in this process with the API of a client. */
export { EmbeddedClient, type EmbeddedClientOptions } from './embedded-client';
export { MemoryStore, type MemoryStoreOptions } from '../server';
