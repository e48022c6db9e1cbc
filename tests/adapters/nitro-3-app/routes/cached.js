import { defineCachedHandler } from 'nitro/cache';

export default defineCachedHandler(() => ({ made: Math.random() }), { maxAge: 60, swr: false });
