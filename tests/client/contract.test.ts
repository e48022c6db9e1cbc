import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { describeContract } from '../support/contract';
import { describeKinds, KINDS, QUICK_KINDS } from '../support/contract-kinds';
import { describeWithMemcached } from '../support/describe';
import { memcachedVersion } from '../support/memcached';
import { startEmbedded, startReal } from '../support/servers';

describe('over the embedded server', () => {
  describeKinds(KINDS, startEmbedded);
});

describeWithMemcached('over a real memcached', () => {
  describeKinds(KINDS.filter(({ name }) => QUICK_KINDS.includes(name)), startReal, memcachedVersion());
});

describe('without a server', () => {
  describeContract('EmbeddedClient', () => {
    const store = new MemoryStore();
    return Promise.resolve({
      client: (options) => new EmbeddedClient(store, options),
      stop: () => {
        store.close();
        return Promise.resolve();
      },
    });
  });
});
