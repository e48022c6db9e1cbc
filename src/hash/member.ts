import { parseServerAddress, type ServerInput } from '../client/server-address';
import { MemcacheIllegalInputError } from '../errors';

/** A server of a cluster, with the share of the keys it is to have (default 1). */
export type ClusterServer = ServerInput | { readonly server: ServerInput; readonly weight?: number | undefined };

/** A server of a cluster as the router knows it. */
export interface Member {
  /** Its node name: `host:port`, or the path of its socket. */
  readonly name: string;
  readonly server: ServerInput;
  readonly weight: number;
}

/** @throws MemcacheIllegalInputError */
export function toMember(entry: ClusterServer): Member {
  if (typeof entry !== 'object' || !('server' in entry)) return { name: parseServerAddress(entry).name, server: entry, weight: 1 };
  const { server, weight = 1 } = entry;
  if (typeof weight !== 'number' || !(weight > 0 && weight < Infinity)) {
    throw new MemcacheIllegalInputError('weight must be a number greater than 0');
  }
  return { name: parseServerAddress(server).name, server, weight };
}
