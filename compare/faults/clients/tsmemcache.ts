import type * as Package from '../../../src';
import { MAX_VALUE_SIZE, TIMEOUT, type Adapter, type Contestant } from './adapter';

export const tsmemcache: Contestant = {
  name: 'tsmemcache',
  protocol: 'text',
  hasNoreply: true,
  make: (port): Adapter => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- loaded only in its own process, as the peers are
    const { Client, StringSerde } = require('../../../src') as typeof Package;
    const client = new Client(['127.0.0.1', port], {
      timeout: TIMEOUT,
      connectTimeout: TIMEOUT,
      maxValueSize: MAX_VALUE_SIZE,
      serde: new StringSerde(),
      // So that the length of such a key is what is judged.
      allowUnicodeKeys: true,
    });
    return {
      get: (key) => client.get(key),
      set: (key, value, seconds) => client.set(key, value, { expire: seconds }),
      setNoreply: (key, value) => client.set(key, value, { noreply: true }),
      close: () => client.close(),
    };
  },
};
