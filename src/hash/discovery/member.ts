import { parseServerAddress, type ServerAddress, type ServerInput } from '../../client/server-address';
import { MemcacheIllegalInputError } from '../../errors';
import { checkOptionNames } from '../../options/option';
import { isObject } from '../../options/rule';

/** A server of a cluster, with its weight: its share of the keys, relative to the others (default 1). */
export type ClusterServer =
  | ServerInput
  | { readonly server: ServerInput; readonly weight?: number | undefined }
  | { readonly host: string; readonly port?: number | undefined; readonly weight: number }
  | { readonly path: string; readonly weight: number };

/** A server of a cluster as the router knows it. */
export interface Member {
  /** Its node name: `host:port`, or the path of its socket. */
  readonly name: string;
  readonly address: ServerAddress;
  readonly weight: number;
}

/** @throws MemcacheIllegalInputError */
export function toMember(entry: ClusterServer): Member {
  const { server, weight } = apart(entry);
  if (typeof weight !== 'number' || !(weight > 0 && weight < Infinity)) {
    throw new MemcacheIllegalInputError('weight must be a number above 0');
  }
  const address = parseServerAddress(server);
  return { name: address.name, address, weight };
}

/** Whether nothing has changed of a member: not the share of the keys, and neither the TLS nor the credentials of the address. */
export function isSame(one: Member, other: Member | undefined): boolean {
  return signatureOf(one) === signatureOf(other);
}

function signatureOf(member: Member | undefined): string | undefined {
  return member && JSON.stringify([member.weight, member.address.tls, member.address.auth]);
}

/** A weight may stand beside the server or beside its host. */
function apart(entry: ClusterServer): { server: ServerInput; weight: number } {
  if (!isObject(entry)) return { server: entry, weight: 1 };
  if ('server' in entry) {
    checkOptionNames(entry, { server: 0, weight: 0 });
    return { server: entry.server, weight: entry.weight ?? 1 };
  }
  if (!('weight' in entry)) return { server: entry, weight: 1 };
  const { weight, ...server } = entry;
  return { server, weight };
}
