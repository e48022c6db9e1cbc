/** `npm run example NAME` runs `examples/NAME.ts`; without a name it lists them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const names = readdirSync(__dirname)
  .filter((name) => name.endsWith('.ts') && name !== 'run.ts')
  .map((name) => name.slice(0, -'.ts'.length));
const [name] = process.argv.slice(2);
if (name !== undefined && names.includes(name)) {
  // An example runs by itself only when it is the program; here it is asked to.
  void import(join(__dirname, `${name}.ts`)).then((example: { main: () => unknown }) => example.main());
} else {
  console.log(`npm run example NAME, with one of: ${names.join(', ')}`);
}
