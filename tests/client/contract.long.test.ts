import { describeKinds, KINDS, QUICK_KINDS } from '../support/contract-kinds';
import { describeWithMemcached } from '../support/describe';
import { memcachedVersion } from '../support/memcached';
import { startReal } from '../support/servers';

describeWithMemcached('over a real memcached', () => {
  describeKinds(KINDS.filter(({ name }) => !QUICK_KINDS.includes(name)), startReal, memcachedVersion());
});
