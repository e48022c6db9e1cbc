import { build } from 'esbuild';
import { join } from 'node:path';
import { allInUserProject, type UserProject } from '../support/packed';

let project: UserProject;

allInUserProject((made) => {
  project = made;
});

/** How many bytes a bundle takes, minified, that uses nothing of the package but `name`, and of which files it has something. */
async function sizeOf(name: string): Promise<{ bytes: number; files: string[] }> {
  const folder = join(project.installed, 'dist');
  const { metafile, outputFiles } = await build({
    stdin: { contents: `import { ${name} } from './esm/index.js'; console.log(${name});`, resolveDir: folder },
    absWorkingDir: folder,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // What is of others.
    external: ['fflate', '*/generic-pool.js'],
    metafile: true,
    write: false,
  });
  const used = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs)).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  return { bytes: outputFiles[0]?.contents.length ?? NaN, files: used.map(([file]) => file.replace(/^esm\//, '')).filter((file) => file !== '<stdin>') };
}

/**
 * The aim was 60 000 bytes, and is missed: there were 56 500 before metrics, channels, fail fast, fair deadlines and the
 * care for proxies came to every client. This is what there is and a little more, so that nothing is added unseen.
 */
const CLIENT_ALONE = 90_250;

it('Client alone takes no more than it did', async () => {
  const { bytes, files } = await sizeOf('Client');
  expect(bytes).toBeGreaterThan(40_000);
  expect(bytes).toBeLessThanOrEqual(CLIENT_ALONE);
  expect(files).toContain('client/client.js');
  expect(files.filter((file) => /^(pool|hash|cache|adapters|telemetry|server|embedded|cli)\//.test(file))).toEqual([]);
  expect(files.filter((file) => /compressed|structured|python|zlib|pickle|retrying|fallback/.test(file))).toEqual([]);
});

it.each([
  ['HashClient', CLIENT_ALONE + 20_250, /^(server|embedded|cache)\/|discovery\/(dns|elasticache)|ketama|modulo/],
  ['PooledClient', CLIENT_ALONE + 12_000, /^(hash|server|embedded|cache)\//],
])('%s takes at most %d bytes, and leaves out what it does not use', async (name, most, others) => {
  const { bytes, files } = await sizeOf(name);
  expect(bytes).toBeLessThanOrEqual(most);
  expect(files.filter((file) => others.test(file))).toEqual([]);
});

it('errors alone bring no client', async () => {
  const { files } = await sizeOf('MemcacheError');
  expect(files).toEqual(['errors/index.js']);
});
