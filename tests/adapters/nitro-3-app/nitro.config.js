export default { compatibilityDate: '2026-01-01', serverDir: './', plugins: ['plugins/storage.js'] };
