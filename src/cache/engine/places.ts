import type { Clock } from '../../runtime/clock';
import type { EntrySettings } from '../cache-options';
import type { Place } from '../exchange/leases';
import { NAMESPACE_COUNTER, type KeySpace, type VersionRules } from '../key-space';
import type { Versions } from '../tags/versions';
import { leftOf } from '../time-limits';

/** Where entries are: with the option `namespace` its version, which the server tells, is a part of each key. */
export class Places {
  readonly #keys: KeySpace;
  readonly #versions: Versions;
  readonly #clock: Clock;

  constructor(keys: KeySpace, versions: Versions, clock: Clock) {
    this.#keys = keys;
    this.#versions = versions;
    this.#clock = clock;
  }

  /** The rules of the present namespace, and the milliseconds that they leave of `cacheTimeout`, which the first connection does not count against. */
  async rulesToRead({ cacheTimeout }: EntrySettings): Promise<{ readonly rules: VersionRules; readonly limit: number }> {
    try {
      await this.#versions.opened(NAMESPACE_COUNTER);
    } catch {
      return { rules: this.#keys.ofVersion(undefined), limit: cacheTimeout };
    }
    const startedAt = this.#clock.now();
    const rules = await this.#presentRules(cacheTimeout);
    return { rules, limit: leftOf(cacheTimeout, this.#clock.now() - startedAt) };
  }

  /**
   * Where an entry is to be written. With a namespace the server is asked for its version each time: if another process has changed
   * it, others already read from there, and a write to the former place would leave them what is outdated.
   *
   * @param target the entry as it would be called without a namespace
   */
  async toWrite(target: Place): Promise<Place> {
    if (!this.#keys.isVersioned) return target;
    return this.#keys.within(target, this.#keys.ofVersion(await this.#versions.present(NAMESPACE_COUNTER)));
  }

  async #presentRules(limit: number): Promise<VersionRules> {
    return this.#keys.ofVersion(this.#versions.currentAhead(NAMESPACE_COUNTER) ?? (await this.#versions.askWithin(limit, NAMESPACE_COUNTER))?.number);
  }
}
