/**
 * Chooses the node that owns a key: the only interface between a cluster and its placement rule.
 *
 * The answer must depend only on the key and the nodes present, so that every process of a fleet agrees. Node
 * names are pymemcache's: `host:port`, IPv6 without brackets (`::1:11211`), the path of a unix socket.
 */
export interface Hasher {
  /** Lets `name` own keys, `weight` times as many as a node of weight 1; for a name already present only the weight changes. */
  addNode(name: string, weight?: number): void;
  /** Takes every key away from `name`, which may be added again later. */
  removeNode(name: string): void;
  /**
   * The name of the node that owns `key`, or `undefined` when there is no node.
   *
   * @param bytes - the key as it was given, when it was given as bytes. In `key` bytes that are not UTF-8 are replaced, so that
   *   many of them look alike; clients in other languages place by the bytes.
   */
  getNode(key: string, bytes?: Uint8Array): string | undefined;
}
