import type { ChildProcess } from 'node:child_process';

const running = new Set<ChildProcess>();

/** One listener for all: a comparison of clusters runs more than a hundred servers. */
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Has `child` end with this process at the latest; what it returns ends it now, and waits until it has. */
export function endWithUs(child: ChildProcess): () => Promise<void> {
  running.add(child);
  const exited = new Promise<void>((resolve) => child.once('exit', () => {
    running.delete(child);
    resolve();
  }));
  return async () => {
    if (!running.has(child)) return;
    child.kill('SIGKILL');
    await exited;
  };
}
