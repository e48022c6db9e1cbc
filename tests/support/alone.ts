/** Programs that run in a process of their own, where memory can be measured: in a process of tests too much else lives. */

/** Makes of `main` the program that `runAlone` (program.ts) runs. */
export function alone(main: (order: never) => Promise<object>): void {
  void main(JSON.parse(process.argv[2] ?? '{}') as never).then((result) => {
    process.stdout.write(JSON.stringify(result));
  });
}

/** The bytes in use when what is garbage has been collected. */
export async function usedMemory(): Promise<{ heap: number; buffers: number }> {
  if (gc === undefined) throw new Error('node must be started with --expose-gc');
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed, buffers: external + arrayBuffers };
}

/** The sockets and timers that are there. */
export function activeResources(): number {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Pipe(?!Wrap)|Timeout/.test(name)).length;
}
