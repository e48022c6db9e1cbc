import { Relay } from '../../tools/relay';
import { WireParser, type WireCommand } from './wire-parser';

/** A wire between clients and a real server that reads along, strictly, what the clients send. */
export class Tap {
  readonly #commands: WireCommand[] = [];
  readonly #violations: unknown[] = [];
  #relay: Relay | undefined;

  static async start(port: number): Promise<Tap> {
    const tap = new Tap();
    tap.#relay = await Relay.start(port, () => {
      const parser = new WireParser((command) => tap.#commands.push(command));
      return {
        fromClient: (bytes, server) => {
          try {
            parser.push(bytes.toString('latin1'));
          } catch (error) {
            tap.#violations.push(error);
          }
          server.write(bytes);
        },
      };
    });
    return tap;
  }

  private constructor() {}

  get address(): string {
    return this.#relay?.address ?? '';
  }

  /** How many connections were made through it. */
  get connections(): number {
    return this.#relay?.connections ?? 0;
  }

  /** What was sent since the last look. */
  takeCommands(): WireCommand[] {
    return this.#commands.splice(0);
  }

  /** What the parser could not accept since the last look. */
  takeViolations(): unknown[] {
    return this.#violations.splice(0);
  }

  async close(): Promise<void> {
    await this.#relay?.close();
  }
}
