/**
 * Compiles as the other tests do, with one defect planted: `PLANTED_DEFECT` holds `{ file, find, replace }`, the file as
 * an absolute path. Nothing is written to the sources, and all other files come from the cache.
 */
const { createHash } = require('node:crypto');
const { default: tsJest } = require('ts-jest');

const defect = JSON.parse(process.env.PLANTED_DEFECT ?? 'null');

const plant = (source, path) => (path === defect?.file ? source.replace(defect.find, () => defect.replace) : source);

module.exports = {
  createTransformer(options) {
    const compiler = tsJest.createTransformer(options);
    return {
      getCacheKey: (source, path, context) =>
        createHash('sha256').update(compiler.getCacheKey(plant(source, path), path, context)).digest('hex'),
      process: (source, path, context) => compiler.process(plant(source, path), path, context),
    };
  },
};
