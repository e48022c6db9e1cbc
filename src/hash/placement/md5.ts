import { nodeCrypto } from '../../runtime/crypto';

/** The 16 bytes of MD5 of `bytes`, one character per byte. It only places keys; no security depends on it. */
export function md5(bytes: string): Buffer {
  return nodeCrypto().createHash('md5').update(bytes, 'latin1').digest();
}
