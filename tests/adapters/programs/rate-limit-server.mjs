// A web server behind express-rate-limit; it prints its port.
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import { adapter, newClient } from './load.mjs';

const { MemcacheRateLimitStore } = adapter('rate-limit');
const app = express();
app.use(rateLimit({ windowMs: 600_000, limit: Number(process.env.LIMIT), standardHeaders: 'draft-8', legacyHeaders: true, store: new MemcacheRateLimitStore(newClient()) }));
app.get('/', (_, response) => response.send('in'));
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
