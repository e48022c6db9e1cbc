import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';

/** Where an app listens, once it says so and `isReady`. */
export async function urlOf(app: ChildProcessByStdio<null, Readable, null>, isReady: (output: string) => boolean = () => true): Promise<string> {
  let output = '';
  for await (const chunk of app.stdout) {
    output += String(chunk);
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0];
    if (url !== undefined && isReady(output)) return url;
  }
  throw new Error(`it ended: ${output}`);
}
