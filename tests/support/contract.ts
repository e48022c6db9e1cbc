import { describeLife, describeManyAtOnce, describeSignals } from './contract/calls';
import { ContractRun, type ContractTraits, type Subject } from './contract/contract-run';
import { describeIllegalArguments } from './contract/illegal-arguments';
import { describeMetaCommands, describeQuietCommands } from './contract/meta-commands';
import { describeNoreply } from './contract/noreply';
import { describeRetrieval } from './contract/retrieval';
import { describeServers } from './contract/servers';
import { describeDeletionAndCounters, describeExpiry, describeStorage } from './contract/storage';
import { describeKeys, describeValues } from './contract/values';

export type { ContractTraits, Subject } from './contract/contract-run';
export { failure, illegal, rejection } from './rejection';

/** What every client does, whichever class it is and whatever server it talks to. */
export function describeContract(name: string, start: () => Promise<Subject>, traits: ContractTraits = {}): void {
  describe(name, () => {
    const run = new ContractRun(traits);
    beforeAll(async () => {
      run.begin(await start());
    });
    afterAll(() => run.end());

    describeRetrieval(run);
    describeStorage(run);
    describeValues(run);
    describeExpiry(run);
    describeDeletionAndCounters(run);
    describeNoreply(run);
    describeKeys(run);
    describeManyAtOnce(run);
    describeSignals(run);
    describeServers(run);
    describeMetaCommands(run);
    describeQuietCommands(run);
    describeIllegalArguments(run);
    describeLife(run);
  });
}
