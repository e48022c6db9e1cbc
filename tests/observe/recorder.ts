import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { CHANNELS, type ChannelMessages } from '../../src';

type Name = keyof ChannelMessages;

const TRACED: readonly Name[] = [CHANNELS.command, CHANNELS.connect, CHANNELS.load];
const EVENTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;

export interface Heard {
  readonly name: Name;
  /** Of a tracing channel. */
  readonly event: (typeof EVENTS)[number] | undefined;
  readonly message: object;
  /** As it was then. */
  readonly copy: Readonly<Record<string, unknown>>;
}

/** Listens to all channels. */
export class Recorder {
  readonly heard: Heard[] = [];
  readonly #stops: (() => void)[] = [];

  constructor(onEach: (heard: Heard) => void = () => undefined) {
    const listen = (channel: string, name: Name, event: Heard['event']): void => {
      const onMessage = (message: unknown): void => {
        const entry: Heard = { name, event, message: message as object, copy: { ...(message as object) } };
        this.heard.push(entry);
        onEach(entry);
      };
      subscribe(channel, onMessage);
      this.#stops.push(() => unsubscribe(channel, onMessage));
    };
    for (const name of Object.values(CHANNELS)) {
      if (TRACED.includes(name)) for (const event of EVENTS) listen(`tracing:${name}:${event}`, name, event);
      else listen(name, name, undefined);
    }
  }

  /** The messages of a channel; of a tracing channel those of `asyncEnd`. */
  of<N extends Name>(name: N, event: Heard['event'] = TRACED.includes(name) ? 'asyncEnd' : undefined): ChannelMessages[N][] {
    return this.heard.filter((entry) => entry.name === name && entry.event === event).map(({ copy }) => copy as never);
  }

  /** What is wrong with the traces so far: each has one start, one end, one asyncStart and one asyncEnd, in this order. */
  unbalanced(name: 'tsmemcache:command' | 'tsmemcache:connect'): string[] {
    const byMessage = new Map<object, string[]>();
    for (const { message, event } of this.heard.filter((entry) => entry.name === name)) {
      byMessage.set(message, [...(byMessage.get(message) ?? []), event ?? '']);
    }
    return [...byMessage.values()].map((events) => events.join(' ')).filter((events) => !/^start end (?:error )?asyncStart asyncEnd$/.test(events));
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }
}
