/** `npm run example NAME` runs `examples/NAME.ts`; without a name it lists them. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const names = readdirSync(__dirname)
  .filter((name) => name.endsWith('.ts') && name !== 'run.ts')
  .map((name) => name.slice(0, -'.ts'.length));
const [name] = process.argv.slice(2);
const usage = `npm run example NAME, with one of: ${names.join(', ')}`;
if (name === undefined) {
  console.log(usage);
} else if (names.includes(name)) {
  process.exitCode = spawnSync(process.execPath, ['--import', 'tsx', join(__dirname, `${name}.ts`)], { stdio: 'inherit' }).status ?? 1;
} else {
  console.error(`there is no example "${name}": ${usage}`);
  process.exitCode = 2;
}
