import { VersionCommand } from '../../client/commands/admin';
import type { Frame } from '../../protocol/frame';
import type { RequestWriter } from '../../protocol/request';

/** Who wants to know when the servers are asked. */
export interface ProbeListener {
  /** It goes to this server, one of several. */
  onServer(server: string): void;
  /** It is written, so there is a connection; '' where there is one server. */
  onSent(server: string): void;
}

/** `version`, which also reports when it is written: by then there is a connection. */
export class VersionProbe extends VersionCommand {
  readonly #answers: Map<string, string>;
  readonly #listener: ProbeListener;
  readonly #server: string;

  /** @param answers filled with the versions as they arrive, in case some never do */
  constructor(answers: Map<string, string>, listener: ProbeListener, server = '') {
    super();
    this.#answers = answers;
    this.#listener = listener;
    this.#server = server;
  }

  override to(server: string): VersionProbe {
    this.#listener.onServer(server);
    return new VersionProbe(this.#answers, this.#listener, server);
  }

  override write(request: RequestWriter): void {
    super.write(request);
    this.#listener.onSent(this.#server);
  }

  override read(frame: Frame, server: string): Map<string, string> {
    const versions = super.read(frame, server);
    for (const [name, version] of versions) this.#answers.set(name, version);
    return versions;
  }
}

/** What all of the servers can do. */
export interface Abilities {
  /** Meta commands as of 1.6.10; else place-holders are made by `add`. */
  readonly leases: boolean;
  /** CAS numbers of our own (`E`), as of 1.6.27. */
  readonly ownCas: boolean;
}

/** What the oldest of these versions can do. */
export function abilitiesOf(versions: Iterable<string>): Abilities {
  let leases = true;
  let ownCas = true;
  for (const version of versions) {
    const match = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})/.exec(version);
    const number = match === null ? 0 : Number(match[1]) * 1e12 + Number(match[2]) * 1e6 + Number(match[3]);
    leases &&= number >= 1e12 + 6e6 + 10;
    ownCas &&= number >= 1e12 + 6e6 + 27;
  }
  return { leases, ownCas };
}
