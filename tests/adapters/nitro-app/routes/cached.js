/* global defineCachedEventHandler -- Nitro gives it */
export default defineCachedEventHandler(() => ({ made: Math.random() }), { maxAge: 60, swr: false });
