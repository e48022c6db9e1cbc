import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a goal has come to. */
export interface Outcome {
  readonly goal: string;
  /** What the goal is, in one sentence. */
  readonly claim: string;
  readonly seed?: number;
  /** How many cases were tried. */
  readonly n: number;
  readonly value: number | string;
  readonly limit: number | string;
  readonly pass: boolean;
}

/** Where the outcomes are. */
export const FOLDER = join(__dirname, '..', '..', '.reliability');

/** Writes down what a goal has come to, one JSON line; `npm run reliability` makes the table of docs/reliability.md of them. */
export function report(outcome: Outcome): void {
  mkdirSync(FOLDER, { recursive: true });
  const line = JSON.stringify(outcome);
  writeFileSync(join(FOLDER, `${outcome.goal}.json`), `${line}\n`);
  if (!outcome.pass) throw new Error(`${outcome.goal} was not reached: ${line}`);
}

/** A number given by the environment, for longer runs than those of the tests. */
export function fromEnvironment(name: string, byDefault: number): number {
  return Number(process.env[name] ?? byDefault);
}
