import { networkInterfaces } from 'node:os';

/** Whether this machine has IPv6. */
export const hasIPv6 = Object.values(networkInterfaces())
  .flat()
  .some((address) => address?.address === '::1');
