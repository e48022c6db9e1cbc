/** Reads one value with one serde, and tells how much memory that took at the most. */
import { readFileSync, writeFileSync } from 'node:fs';
import { CompressedSerde, MemcacheSerdeError, PythonSerde, RawSerde, StructuredSerde } from '../../../src';
import { alone, usedMemory } from '../../support/alone';

export interface ReadOrder {
  readonly serde: 'compressed' | 'python' | 'structured';
  /** In base64. */
  readonly data: string;
  readonly flags: number;
  readonly maxOutput: number;
}

export interface ReadReport {
  /** How the error begins with which it was refused; empty when it was not. */
  readonly refused: string;
  /** The bytes that the process has taken from the system meanwhile, at the most. */
  readonly growth: number;
  /** Milliseconds of CPU. */
  readonly cpu: number;
}

/** Starts the measurement of the most memory anew: what the start of the process took would hide the rest. See proc(5). */
function forgetPeak(): void {
  if (process.platform === 'linux') writeFileSync('/proc/self/clear_refs', '5');
}

/** The most memory of this process, in bytes. What Linux tells of its resources may be that of the process which started it. */
function peak(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1024;
}

alone(async ({ serde: name, data, flags, maxOutput }: ReadOrder): Promise<ReadReport> => {
  const serde = {
    compressed: new CompressedSerde<unknown>(new RawSerde(), { maxOutput }),
    python: new PythonSerde({ maxOutput }),
    structured: new StructuredSerde(),
  }[name];
  const bytes = Buffer.from(data, 'base64');
  await usedMemory();
  forgetPeak();
  const before = process.memoryUsage().rss;
  const cpu = process.cpuUsage();
  let refused = '';
  try {
    serde.deserialize(bytes, flags, 'key');
  } catch (error) {
    refused = error instanceof MemcacheSerdeError ? error.message : `NOT OURS: ${String(error)}`;
  }
  const { user, system } = process.cpuUsage(cpu);
  return { refused, growth: peak() - before, cpu: (user + system) / 1000 };
});
