import { FrameReader, NO_BLOCK, type FrameRules } from '../../src/protocol/frame';
import type { SeededRandom } from './seeded-random';

/** What may go wrong with the way from a server to a client, byte streams as such. */
export const TRANSPORT_TOXICS = ['latency', 'slicer', 'trickle', 'hold', 'fin', 'rst'] as const;
/** What a broken proxy or server may do to replies. */
export const PROTOCOL_TOXICS = ['duplicate', 'drop', 'swap', 'swapKeys', 'replay', 'unsolicited', 'corrupt', 'garbage', 'errorLine'] as const;

export type Toxic = (typeof TRANSPORT_TOXICS)[number] | (typeof PROTOCOL_TOXICS)[number];

/** What happens on the way to the client, in order. */
export type Step = { readonly bytes: Buffer; readonly delay: number } | { readonly end: 'fin' | 'rst' | 'hold' };

/** Replies as a proxy may cut them: without knowing what was asked. */
const RULES: FrameRules = {
  blockLength: (buffer, start, end) => {
    const line = buffer.toString('latin1', start, end);
    const length = /^VALUE \S+ \d+ (\d+)/.exec(line)?.[1] ?? /^VA (\d+)/.exec(line)?.[1];
    return length === undefined ? NO_BLOCK : Number(length);
  },
  maxLine: () => 1e6,
  maxBlock: 2 ** 30,
};

/** How often the toxic of a stream strikes, per reply. */
const RATE = 0.1;

const KEYS_SEEN = 50;

/** The way from a server to a client, with one thing wrong with it, or nothing. All that it does comes from its random. */
export class ToxicStream {
  readonly toxic: Toxic | undefined;
  /** How often it has struck. */
  strikes = 0;
  readonly #random: SeededRandom;
  readonly #reader: FrameReader;
  #frames: Buffer[] = [];
  /** Replies that went by, for replays. */
  readonly #seen: Buffer[] = [];
  #kept: Buffer | undefined;
  #over = false;

  constructor(toxic: Toxic | undefined, random: SeededRandom) {
    this.toxic = toxic;
    this.#random = random;
    this.#reader = new FrameReader(RULES, (frame) => {
      const end = frame.hasBlock ? frame.dataEnd + 2 : frame.dataStart;
      this.#frames.push(Buffer.from(frame.buffer.subarray(frame.start, end)));
    });
  }

  /** What becomes of what the server has sent. */
  pass(bytes: Buffer): Step[] {
    if (this.#over) return [];
    if (this.toxic === undefined) return [{ bytes, delay: 0 }];
    this.#frames = [];
    this.#reader.push(bytes, 0, bytes.length);
    const steps: Step[] = [];
    for (const frame of this.#frames) {
      if (this.#random.chance(RATE)) {
        this.strikes++;
        this.#strike(this.toxic, frame, steps);
      } else {
        if (this.#kept !== undefined) {
          steps.push({ bytes: frame, delay: 0 }, { bytes: this.#kept, delay: 0 });
          this.#kept = undefined;
        } else {
          steps.push({ bytes: frame, delay: 0 });
        }
      }
      if (this.#seen.push(frame) > KEYS_SEEN) this.#seen.shift();
      if (this.#isOver()) break;
    }
    return steps;
  }

  #strike(toxic: Toxic, frame: Buffer, steps: Step[]): void {
    const random = this.#random;
    const plain = (bytes: Buffer, delay = 0): void => {
      steps.push({ bytes, delay });
    };
    switch (toxic) {
      case 'latency':
        plain(frame, random.below(1500));
        break;
      case 'slicer':
        for (let at = 0; at < frame.length; ) {
          const size = 1 + random.below(20);
          // A read of its own.
          plain(frame.subarray(at, at + size), 0.01);
          at += size;
        }
        break;
      case 'trickle':
        for (const byte of frame.subarray(0, 40)) plain(Buffer.from([byte]), random.below(60));
        plain(frame.subarray(40));
        break;
      case 'hold':
        plain(frame.subarray(0, random.below(frame.length)));
        this.#end(steps, 'hold');
        break;
      case 'fin':
      case 'rst':
        plain(frame.subarray(0, random.below(frame.length + 1)));
        this.#end(steps, toxic);
        break;
      case 'duplicate':
        for (let i = 0; i <= 1 + random.below(2); i++) plain(frame);
        break;
      case 'drop':
        break;
      case 'swap':
        this.#kept = frame;
        break;
      case 'swapKeys':
        plain(this.#otherKey(frame));
        break;
      case 'replay':
        plain(this.#seen.length === 0 ? frame : random.pick(this.#seen));
        if (random.chance(0.5)) plain(frame);
        break;
      case 'unsolicited':
        plain(frame);
        plain(this.#seen.length === 0 ? frame : random.pick(this.#seen), random.below(200));
        break;
      case 'corrupt':
        plain(this.#flipBit(frame));
        break;
      case 'garbage':
        plain(Buffer.from(Array.from({ length: 1 + random.below(60) }, () => random.below(256))));
        if (random.chance(0.5)) plain(frame);
        break;
      case 'errorLine':
        plain(Buffer.from(random.pick(['ERROR\r\n', 'CLIENT_ERROR bad command line format\r\n', 'SERVER_ERROR out of memory\r\n', 'ERROR Too many open connections\r\n'])));
        if (random.chance(0.5)) plain(frame);
        break;
    }
  }

  /** The same reply under a key that nobody asked for. One that was asked for too would be a lie that no client can see. */
  #otherKey(frame: Buffer): Buffer {
    return Buffer.from(frame.toString('latin1').replace(/^VALUE \S+/, '$&x'), 'latin1');
  }

  #flipBit(frame: Buffer): Buffer {
    const flipped = Buffer.from(frame);
    // A key may become another that was asked for: see above.
    const from = /^VALUE \S+/.exec(flipped.toString('latin1', 0, 300))?.[0].length ?? 0;
    const at = from + this.#random.below(flipped.length - from);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << this.#random.below(8));
    return flipped;
  }

  #isOver(): boolean {
    return this.#over;
  }

  #end(steps: Step[], end: 'fin' | 'rst' | 'hold'): void {
    this.#over = true;
    steps.push({ end });
  }
}
