export type { Hasher } from './hasher';
export type { KeyHashName } from './key-hash';
export { KetamaHash } from './ketama';
export type { KetamaHashOptions } from './ketama';
export { ModuloHash } from './modulo';
export type { ModuloHashOptions } from './modulo';
export { murmur3 } from './murmur3';
export { RendezvousHash } from './rendezvous';
export type { RendezvousHashOptions } from './rendezvous';
